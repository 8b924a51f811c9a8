"""Routes of things, under every version and outside the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.urls import path
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from apps.core.api.conditional import cache_headers, check_change, etag, not_modified
from apps.core.api.fields import Body, Flag, Text
from apps.core.api.pagination import paged
from apps.core.api.views import ApiView, StreamView, address, member, run_once
from apps.core.errors import FieldProblem
from apps.core.http.renderers import json_answer
from tests.things.commands import ChangeThing, DeleteThing, MakeThing, Row
from tests.things.models import NAME_LENGTH, NOTE_LENGTH
from tests.things.queries import GetThing, ListThings
from tests.things.services import bus

OPEN_LIMIT, UPLOAD_LIMIT = 16 * 1024, 1024 * 1024


class ThingBody(Body):
    """What is sent of a new thing."""

    name = Text(max_length=NAME_LENGTH, allow_blank=True)
    note = Text(max_length=NOTE_LENGTH, allow_blank=True, required=False)
    is_done = Flag(required=False)

    def rules(self, values: Mapping[str, Any]) -> list[FieldProblem]:
        """A name is not blank."""
        return [] if values.get("name", "x") else [FieldProblem("/name", "blank", "must not be blank")]


class ThingChanges(ThingBody):
    """What is sent of one that changes."""

    name = Text(max_length=NAME_LENGTH, allow_blank=True, required=False)


class Note(Body):
    """A note alone."""

    note = Text(max_length=NOTE_LENGTH)


class ThingView(ApiView):
    """What the routes share."""

    schema = None
    bus = bus

    def shown(self, row: Row, status: int = 200, **headers: str) -> HttpResponse:
        """The answer that shows `row`."""
        return json_answer(row, status, {**cache_headers(self.tag(row)), **headers})

    def tag(self, row: Row) -> str:
        """The entity tag of `row`."""
        return etag(self.request.version, row["id"], row["version"])

    def expected_version(self, request: Request, thing_id: int) -> int | None:
        """The version that the caller has seen, if the request is conditional."""
        row = self.bus.ask(GetThing(thing_id))
        return int(row["version"]) if check_change(request, self.tag(row)) else None


class ThingList(ThingView):
    """Things, for anyone."""

    permission_classes = (AllowAny,)
    body_limit = OPEN_LIMIT

    @run_once
    def post(self, request: Request) -> HttpResponse:
        """Make one."""
        row = self.bus.execute(MakeThing(**self.valid(ThingBody, request)))
        return self.shown(row, 201, Location=member(request, row["id"]))

    def get(self, request: Request) -> HttpResponse:
        """A page of them."""
        return paged(request, lambda limit, cursor: self.bus.ask(ListThings(limit, cursor)), dict, {})


class ThingDetail(ThingView):
    """One thing, for whoever is logged in."""

    def get(self, request: Request, thing_id: int) -> HttpResponse:
        """The thing, or 304."""
        row = self.bus.ask(GetThing(thing_id))
        return not_modified(request, self.tag(row)) or self.shown(row)

    def patch(self, request: Request, thing_id: int) -> HttpResponse:
        """Change it."""
        expected = self.expected_version(request, thing_id)
        changes = self.valid(ThingChanges, request)
        return self.shown(self.bus.execute(ChangeThing(thing_id, changes, expected)))

    def delete(self, request: Request, thing_id: int) -> HttpResponse:
        """Delete it."""
        self.bus.execute(DeleteThing(thing_id, self.expected_version(request, thing_id)))
        return HttpResponse(status=204)


class ThingNote(ThingView):
    """The note of a thing, for whoever is logged in."""

    @run_once
    def post(self, request: Request, thing_id: int) -> HttpResponse:
        """Replace it."""
        return self.shown(self.bus.execute(ChangeThing(thing_id, self.valid(Note, request))))


class CsvParser(BaseParser):
    """Leaves the file to the view."""

    media_type = "text/csv"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> dict[str, Any]:
        """Nothing."""
        return {}


class ThingUpload(ThingView, StreamView):
    """A thing as a file: its name in the first line, its note in the others."""

    parser_classes = (CsvParser,)
    body_limit = UPLOAD_LIMIT

    @run_once
    def post(self, request: Request) -> HttpResponse:
        """Make one."""
        _ = request.data  # refuses other media types
        name, _, note = self.upload(request).read().decode().partition("\n")
        row = self.bus.execute(MakeThing(name, note))
        return self.shown(row, 201, Location=address(request, "thing", row["id"]))


urlpatterns = [
    path("things", ThingList.as_view(), name="things"),
    path("things/<key:thing_id>", ThingDetail.as_view(), name="thing"),
    path("things/<key:thing_id>/note", ThingNote.as_view(), name="thing-note"),
    path("things/upload", ThingUpload.as_view(), name="thing-upload"),
]
