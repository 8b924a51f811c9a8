"""The event bus on the admin's overview."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from apps.core.backoffice.display import shortened
from apps.core.backoffice.links import Link, aggregate, list_of, page_of
from apps.core.backoffice.overview import Content, Figure, Table, activity, age, panel, said
from apps.core.queue.work_queue import DeliveryState
from apps.events.models import Delivery, OutboxEvent
from apps.events.queries import GetBacklog, count_in, get_backlog

LISTED = 8
OLD_SECONDS = 60
TONES = {DeliveryState.FAILED: "warn", DeliveryState.DEAD: "bad"}


@panel("Outbox", route="admin:events_outboxevent_changelist", place=10)
def outbox() -> Content:
    """What waits in the outbox, which deliveries are to come, and for how long the first in line has waited."""
    backlog = get_backlog(GetBacklog(dead=0))
    seconds = _since(backlog.oldest)
    figures = [
        Figure("waiting in the outbox", said(backlog.unsequenced)),
        Figure("deliveries pending or failed", said(backlog.states["pending"] + backlog.states["failed"])),
        Figure("age of the oldest", age(seconds), tone="warn" if (seconds or 0) > OLD_SECONDS else ""),
    ]
    return Content(figures, activity("Events", OutboxEvent._meta.db_table, "occurred_at", "minute", 60))


@panel("Event deliveries", route="admin:events_delivery_changelist", place=20)
def deliveries() -> Content:
    """How many are in each state, and the newest dead letters."""
    figures = []
    for state in DeliveryState:
        count = count_in(state)
        tone = TONES.get(state, "") if count else ""
        figures.append(Figure(state.value, said(count), list_of("events.delivery", state__exact=state.value), tone))
    dead = Delivery.objects.filter(state=DeliveryState.DEAD).order_by("-id").only("receiver", "last_error")[:LISTED]
    rows: list[list[Link | str]] = [
        [Link(one.receiver, page_of("events.delivery", one.pk)), shortened(one.last_error)] for one in dead
    ]
    return Content(figures, table=Table(("dead letter", "reason"), rows), empty="No dead letters.")


@panel("Newest events", route="admin:events_outboxevent_changelist", place=50)
def newest() -> Content:
    """The newest few events."""
    events = OutboxEvent.objects.order_by("-id").defer("data")[:LISTED]
    rows: list[list[Link | str]] = [
        [Link(one.type, page_of("events.outboxevent", one.pk)), aggregate(one.aggregate), age(_since(one.occurred_at))]
        for one in events
    ]
    return Content(table=Table(("event", "about", "ago"), rows), empty="No events yet.")


def _since(moment: datetime | None) -> float | None:
    return None if moment is None else (timezone.now() - moment).total_seconds()
