"""Routes of the tour."""

from django.urls import path
from django.views.generic import RedirectView

from apps.core.http.late import late

urlpatterns = [
    path("", late("apps.tour.views.tour"), name="tour"),
    path("tour/now", late("apps.tour.views.now"), name="tour-now"),
    path("tour/<slug:name>", late("apps.tour.views.run"), name="tour-run"),
    path("patterns/", RedirectView.as_view(url="/#patterns")),
    path("patterns/<str:name>", late("apps.tour.views.pattern_page"), name="pattern"),
    path("code/<path:file>", late("apps.tour.views.source_page"), name="source"),
]
