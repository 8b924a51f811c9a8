"""Routes of webhooks, under every version."""

from django.urls import path

from apps.webhooks.api import views

urlpatterns = [
    path("webhooks", views.EndpointList.as_view(), name="webhooks"),
    path("webhooks/<key:webhook_id>", views.EndpointDetail.as_view(), name="webhook"),
    path("webhooks/<key:webhook_id>/rotate-secret", views.EndpointSecret.as_view(), name="webhook-secret"),
    path("webhooks/<key:webhook_id>/test", views.EndpointTest.as_view(), name="webhook-test"),
    path("webhooks/<key:webhook_id>/deliveries", views.DeliveryList.as_view(), name="webhook-deliveries"),
    path(
        "webhooks/<key:webhook_id>/deliveries/<key:delivery_id>/retry",
        views.DeliveryRetry.as_view(),
        name="webhook-delivery-retry",
    ),
]
