"""Reads of the event bus: the feed, the backlog, the dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypedDict

from django.db import DataError, connection

from apps.core.bus import Query
from apps.core.queue.work_queue import DeliveryState
from apps.core.reads import CAP
from apps.events.bus import INTERNAL
from apps.events.models import Delivery, OutboxEvent

# what a person waits for, and what is bulk
CLASS_OF = {False: "people", True: "bulk"}
UNTAKEN = """
    SELECT (SELECT count(*) FROM (SELECT 1 FROM events_outboxevent
                WHERE position IS NULL AND NOT bulk ORDER BY id + 0 LIMIT %(limit)s) p)
         + (SELECT count(*) FROM (SELECT 1 FROM events_outboxevent
                WHERE position IS NULL AND bulk ORDER BY id + 0 LIMIT %(limit)s) b)"""
# by class the heads of all lines, and the oldest that waits for another attempt
UNTAKEN_FIRST = """
    (SELECT bulk, id FROM events_outboxevent WHERE position IS NULL AND {} ORDER BY id + 0 LIMIT 1)"""
HEAD = """
    (SELECT bulk, event_id FROM events_delivery WHERE due_at IS NOT NULL AND NOT behind AND {} AND {}
        ORDER BY due_at, id LIMIT 1)"""
FIRSTS = [
    *[UNTAKEN_FIRST.format(bulk) for bulk in ("bulk", "NOT bulk")],
    *[HEAD.format(waits, bulk) for waits in ("waits", "NOT waits") for bulk in ("bulk", "NOT bulk")],
    "(SELECT bulk, event_id FROM events_delivery WHERE state = 'failed' ORDER BY id LIMIT 1)",
]
OLDEST = f"""
    SELECT first.bulk, min(e.occurred_at) FROM ({" UNION ALL ".join(FIRSTS)}) first(bulk, id)
    JOIN events_outboxevent e ON e.id = first.id GROUP BY first.bulk"""  # noqa: S608 - constants


class FeedEvent(TypedDict):
    """One event as readers of the feed see it."""

    id: Annotated[
        int, {"description": "The event's id, the same each time it is told.", "format": "int64", "examples": [41]}
    ]
    type: Annotated[str, {"description": "What happened.", "examples": ["user.created"]}]
    occurred_at: Annotated[datetime, {"description": "When it happened.", "examples": ["2026-11-24T09:00:00Z"]}]
    request_id: Annotated[
        str, {"description": "The id of the request that caused it, as in the log.", "examples": ["0b7e8c4de1f14b0c"]}
    ]
    data: dict[str, Any]


@dataclass(frozen=True)
class FeedPage:
    """A page of the feed and the position to read on from, which is there even on the last page."""

    results: list[FeedEvent]
    next_position: int


@dataclass(frozen=True)
class ReadFeed(Query[FeedPage]):
    """Events after `position` in the order in which they were committed, oldest first; without internal ones."""

    position: int = 0
    limit: int = 100
    type: str = ""


@dataclass(frozen=True)
class Backlog:
    """How much is waiting: events without deliveries, deliveries by state, since when the first of each class does.

    Nothing is counted further than CAP: CAP + 1 stands for any larger number.
    """

    unsequenced: int
    states: dict[str, int]
    oldest_of: dict[str, datetime]
    dead: list[dict[str, Any]]

    @property
    def oldest(self) -> datetime | None:
        """Since when the first of either class waits."""
        return min(self.oldest_of.values(), default=None)


@dataclass(frozen=True)
class GetBacklog(Query[Backlog]):
    """The backlog, with up to `dead` of the dead letters, newest first."""

    dead: int = 50


def read_feed(query: ReadFeed) -> FeedPage:
    """A page of the feed; one statement."""
    events = OutboxEvent.objects.filter(position__gt=query.position).exclude(type__startswith=INTERNAL)
    if query.type:
        events = events.filter(type=query.type)
    columns = ("id", "type", "occurred_at", "request_id", "data", "position")
    page = events.order_by("position")[: query.limit]
    try:
        rows = list(page.values(*columns))
    except (ValueError, DataError):
        # one row cannot be read: a reader of the feed must get past it
        rows = [_row(key, columns) for key in page.values_list("id", flat=True)]
    next_position = rows[-1]["position"] if rows else query.position
    results = [
        FeedEvent(id=r["id"], type=r["type"], occurred_at=r["occurred_at"], request_id=r["request_id"], data=r["data"])
        for r in rows
    ]
    return FeedPage(results, next_position)


def _row(key: int, columns: tuple[str, ...]) -> dict[str, Any]:
    """One event; if its content cannot be read, the reason stands in its place."""
    event = OutboxEvent.objects.filter(id=key)
    try:
        row: dict[str, Any] = event.values(*columns).get()
    except (ValueError, DataError) as error:
        known = event.values(*[name for name in columns if name != "data"]).get()
        return {**known, "data": {"unreadable": f"{type(error).__name__}: {error}"}}
    return row


def get_backlog(query: GetBacklog) -> Backlog:
    """What waits; every statement reads the same few pages, however much that is."""
    with connection.cursor() as cursor:
        cursor.execute(UNTAKEN, {"limit": CAP + 1})
        (unsequenced,) = cursor.fetchone()
        cursor.execute(OLDEST)
        oldest = {CLASS_OF[bulk]: since for bulk, since in cursor.fetchall()}
    states = {state.value: count_in(state) for state in DeliveryState if state != DeliveryState.DELIVERED}
    columns = ("id", "receiver", "event_id", "event__type", "aggregate", "attempts", "last_error", "settled_at")
    dead = Delivery.objects.filter(state=DeliveryState.DEAD).order_by("-id").values(*columns)[: query.dead]
    return Backlog(min(unsequenced, CAP + 1), states, oldest, list(dead) if query.dead else [])


def count_in(state: DeliveryState) -> int:
    """How many deliveries are in `state`; CAP + 1 stands for more than CAP."""
    # from the newest on: the index begins with what was settled since the last vacuum
    return Delivery.objects.filter(state=state).order_by("-id")[: CAP + 1].count()
