"""Routes of the tour."""

from django.urls import path

from apps.tour import views

urlpatterns = [
    path("", views.tour, name="tour"),
    path("tour/now", views.now, name="tour-now"),
    path("tour/<slug:name>", views.run, name="tour-run"),
    path("patterns/<str:name>", views.pattern_page, name="pattern"),
]
