"""The events' feed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from apps.core.api.pagination import Cursor, read_cursor, read_limit
from apps.core.api.renderers import json_answer
from apps.core.api.views import ApiView, IsStaff
from apps.core.errors import FieldProblem, Invalid
from apps.events.bus import EVENTS
from apps.events.queries import ReadFeed


class FeedItem(serializers.Serializer[Any]):
    """One event."""

    id = serializers.IntegerField()
    type = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    request_id = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment] # the field's name, fixed by the contract


class Feed(serializers.Serializer[Any]):
    """Events, oldest first; `next` is there even on the last page, to go on from later."""

    results = FeedItem(many=True)
    next = serializers.CharField()


class EventFeed(ApiView):
    """All events, in the order in which they were committed; staff only."""

    permission_classes = (IsStaff,)
    problems: ClassVar = {"get": (400, 403)}
    answers: ClassVar = {"get": lambda version: {200: Feed}}

    @extend_schema(
        parameters=[
            OpenApiParameter("cursor", str, description="`next` of another page."),
            OpenApiParameter("type", str, description="Only events of this type."),
            OpenApiParameter("limit", int, description="Rows a page, 1 to 100, by default 20."),
        ],
        operation_id="events_list",
    )
    def get(self, request: Request) -> HttpResponse:
        """A page of the feed."""
        given = request.query_params
        kind = given.get("type", "")
        if kind and kind not in EVENTS:
            raise Invalid([FieldProblem("/type", "invalid", f"must be one of {', '.join(sorted(EVENTS))}")])
        cursor = read_cursor(given.get("cursor", "")) or Cursor(0)
        page = self.bus.ask(ReadFeed(cursor.key, read_limit(given.get("limit", "")), kind))
        body = {"results": page.results, "next": str(Cursor(page.next_position))}
        return json_answer(body, headers={"Cache-Control": "no-store"})
