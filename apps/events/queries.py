"""Reads of the event bus: the feed, the backlog, the dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from django.db import DataError
from django.db.models import Count, Min, Q

from apps.core.bus import Query
from apps.core.queue.work_queue import DeliveryState
from apps.events.models import Delivery, OutboxEvent


class FeedEvent(TypedDict):
    """One event as readers of the feed see it."""

    id: int
    type: str
    occurred_at: datetime
    request_id: str
    data: dict[str, Any]


@dataclass(frozen=True)
class FeedPage:
    """A page of the feed and the position to read on from, which is there even on the last page."""

    results: list[FeedEvent]
    next_position: int


@dataclass(frozen=True)
class ReadFeed(Query[FeedPage]):
    """Events after `position` in the order in which they were committed, oldest first."""

    position: int = 0
    limit: int = 100
    type: str = ""


@dataclass(frozen=True)
class Backlog:
    """How much is waiting: events without deliveries, deliveries by state, the oldest waiting moment."""

    unsequenced: int
    states: dict[str, int]
    oldest: datetime | None
    dead: list[dict[str, Any]]


@dataclass(frozen=True)
class GetBacklog(Query[Backlog]):
    """The backlog, with up to `dead` of the dead letters, newest first."""

    dead: int = 50


def read_feed(query: ReadFeed) -> FeedPage:
    """A page of the feed; one statement."""
    events = OutboxEvent.objects.filter(position__gt=query.position)
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
    """What waits, without counting delivered rows; short statements over indexes."""
    # the states are named one by one: an index cannot find "not delivered"
    unfinished = Delivery.objects.filter(state__in=[state for state in DeliveryState if state != "delivered"])
    counts = unfinished.values_list("state").annotate(n=Count("id"))
    waiting = OutboxEvent.objects.filter(Q(position__isnull=True)).aggregate(n=Count("id"), oldest=Min("occurred_at"))
    oldest = Delivery.objects.filter(due_at__isnull=False).aggregate(oldest=Min("event__occurred_at"))["oldest"]
    columns = ("id", "receiver", "event_id", "event__type", "aggregate", "attempts", "last_error", "settled_at")
    dead = unfinished.filter(state=DeliveryState.DEAD).order_by("-id").values(*columns)[: query.dead]
    moments = [moment for moment in (waiting["oldest"], oldest) if moment is not None]
    return Backlog(waiting["n"], dict(counts), min(moments, default=None), list(dead))
