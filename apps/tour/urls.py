"""Routes of the tour."""

from django.urls import path
from django.views.generic import RedirectView

from apps.tour import views

urlpatterns = [
    path("", views.tour, name="tour"),
    path("tour/now", views.now, name="tour-now"),
    path("tour/<slug:name>", views.run, name="tour-run"),
    path("patterns/", RedirectView.as_view(url="/#patterns")),
    path("patterns/<str:name>", views.pattern_page, name="pattern"),
    path("code/<path:file>", views.source_page, name="source"),
]
