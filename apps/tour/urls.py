"""Routes of the tour."""

from django.urls import path

from apps.tour import views

urlpatterns = [
    path("", views.tour, name="tour"),
    path("patterns/<str:name>", views.pattern_page, name="pattern"),
]
