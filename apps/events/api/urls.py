"""Routes of events, under every version."""

from django.urls import path

from apps.events.api.views import EventFeed

urlpatterns = [path("events", EventFeed.as_view(), name="events")]
