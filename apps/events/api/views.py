"""The events' feed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from apps.core.api.components import ANY_OBJECT, PAGE, Id, documented, example
from apps.core.api.pagination import read_cursor, read_limit, write_cursor
from apps.core.api.views import ApiView, IsStaff
from apps.core.errors import FieldProblem, Invalid, together
from apps.core.http.renderers import json_answer
from apps.core.reads import Cursor
from apps.events.api.components import EVENT_TYPE
from apps.events.bus import public_types
from apps.events.queries import ReadFeed


@extend_schema_field(ANY_OBJECT | {"description": "What happened, by type of event."})
class EventData(serializers.DictField):
    """The content of an event."""


class FeedItem(serializers.Serializer[Any]):
    """One event."""

    id = Id()
    type = serializers.CharField(help_text="New types may come: pass over those that you do not know.")
    occurred_at = serializers.DateTimeField()
    request_id = serializers.CharField()
    data = EventData()  # type: ignore[assignment] # the field's name, fixed by the contract


@example(
    {
        "results": [
            {
                "id": 41,
                "type": "user.created",
                "occurred_at": "2026-11-24T09:00:00Z",
                "request_id": "0b7e8c4de1f14b0c",
                "data": {"user_id": 7, "email": "ada@example.com", "name": "Ada"},
            }
        ],
        "next": "WzQxLDFd:c2lnbmF0dXJl",
    }
)
class Feed(serializers.Serializer[Any]):
    """Events, oldest first; `next` is there even on the last page, to go on from later."""

    results = FeedItem(many=True)
    next = serializers.CharField(help_text="Opaque and signed, not a URL: give it as `cursor` to read on, also later.")


class EventFeed(ApiView):
    """All events, in the order in which they were committed; staff only."""

    permission_classes = (IsStaff,)
    problems: ClassVar = {"get": (400, 403)}
    answers: ClassVar = {"get": lambda version: {200: Feed}}
    sends: ClassVar = {"get": ("Cache-Control",)}

    @documented(
        parameters=[
            *PAGE,
            OpenApiParameter("type", EVENT_TYPE, description="Only events of this type."),
        ],
        operation_id="events_list",
    )
    def get(self, request: Request) -> HttpResponse:
        """A page of the feed."""
        cursor, limit, kind = together(
            lambda: read_cursor(request) or Cursor(0),
            lambda: read_limit(request),
            lambda: read_type(request.query_params.get("type")),
        )
        page = self.bus.ask(ReadFeed(cursor.key, limit, kind))
        body = {"results": page.results, "next": write_cursor(request, Cursor(page.next_position))}
        return json_answer(body, headers={"Cache-Control": "no-store"})


def read_type(text: str | None) -> str:
    """The only type of event to show; "", if none is given, shows all. Raises Invalid."""
    if text is not None and text not in (known := public_types()):
        raise Invalid([FieldProblem("/type", "invalid", f"must be one of {', '.join(known)}")])
    return text or ""
