"""Reads of things."""

from __future__ import annotations

from dataclasses import dataclass

from apps.core.bus import Query
from apps.core.errors import NotFound
from apps.core.reads import Cursor, newest_first
from tests.things.commands import Row
from tests.things.models import Thing

COLUMNS = ("id", "name", "note", "is_done", "created_at", "version")


@dataclass(frozen=True)
class GetThing(Query[Row]):
    """A thing. Refused with NotFound."""

    thing_id: int


@dataclass(frozen=True)
class ListThings(Query[list[Row]]):
    """Up to `limit + 1` things from `cursor` on, newest first."""

    limit: int
    cursor: Cursor | None = None


def get_thing(query: GetThing) -> Row:
    """The thing that `GetThing` names."""
    row = Thing.objects.filter(id=query.thing_id).values(*COLUMNS).first()
    if row is None:
        raise NotFound(f"There is no thing {query.thing_id}.")
    return dict(row)


def list_things(query: ListThings) -> list[Row]:
    """The things that `ListThings` asks for."""
    return list(newest_first(Thing.objects.all(), query.cursor).values(*COLUMNS)[: query.limit + 1])
