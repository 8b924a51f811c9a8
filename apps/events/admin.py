"""Events and their deliveries in the admin: people look at them, and replay deliveries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.backoffice.actions import CommandAction
from apps.core.backoffice.display import pretty, shortened
from apps.core.backoffice.links import Link, aggregate, anchor, list_of, page_of, related
from apps.core.backoffice.lists import by
from apps.core.backoffice.site import HistoryAdmin
from apps.core.queue.work_queue import DeliveryState
from apps.events import overview  # noqa: F401 - registers the panels
from apps.events.bus import EVENTS, RECEIVERS
from apps.events.commands import ReplayDeliveries
from apps.events.models import Delivery, OutboxEvent

REPLAY = CommandAction[Delivery](
    "replay",
    "Try again",
    "Each delivery is tried again at once, with fresh attempts. Only failed and dead ones can be; what the receiver"
    " did outside the database before it failed, such as an e-mail, may happen twice.",
    "will be tried again",
    lambda delivery, request: ReplayDeliveries((delivery.pk,), by=str(request.user)),
    lambda delivery: delivery.state in (DeliveryState.FAILED, DeliveryState.DEAD),
    lambda delivery: f"{delivery.receiver}: {delivery.event.type} about {delivery.aggregate}, {delivery.state}",
)


class DeliveryInline(admin.TabularInline[Delivery, OutboxEvent]):
    """The deliveries of an event."""

    model = Delivery
    fields = ("receiver", "state", "attempts", "due_at", "settled_at", "last_error")
    readonly_fields = fields
    can_delete = False
    show_change_link = True
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(OutboxEvent)
class OutboxEventAdmin(HistoryAdmin[OutboxEvent]):
    """Events."""

    list_display = ("id", "type", "about", "occurred_at", "position", "request_id", "its_deliveries")
    list_filter = (by("type", "type", lambda: sorted(EVENTS)), by("about", "aggregate"), by("request", "request_id"))
    search_fields = ("aggregate__exact", "request_id__exact")
    search_help_text = "What it is about, such as user:5, or a request id: the whole of it."
    ordering = ("-id",)
    sortable_by = ("id", "occurred_at", "position")
    date_hierarchy = "occurred_at"
    inlines: ClassVar = [DeliveryInline]
    unlisted: ClassVar = ("data",)
    fields = ("id", "type", "about", "occurred_at", "position", "request_id", "content")
    readonly_fields = fields

    @admin.display(description="about")
    def about(self, event: OutboxEvent) -> object:
        return aggregate(event.aggregate)

    @admin.display(description="content")
    def content(self, event: OutboxEvent) -> object:
        return pretty(event.data)

    @admin.display(description="deliveries")
    def its_deliveries(self, event: OutboxEvent) -> object:
        return anchor("deliveries", list_of("events.delivery", event=event.pk))


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin[Delivery]):
    """Deliveries; dead and failed ones can be tried again."""

    list_display = ("id", "state", "receiver", "about", "its_event", "problem", "attempts", "due_at", "settled_at")
    list_filter = (
        "state",
        by("receiver", "receiver", lambda: sorted(RECEIVERS)),
        # through the event, whose aggregate has an index; an index on the delivery's own would slow the relay down
        by("about", "aggregate", lookup="event__aggregate"),
        by("event", "event"),
    )
    search_fields = ("event",)
    search_help_text = "The number of an event, what it is about, such as user:5, or a request id: the whole of it."
    ordering = ("-id",)
    sortable_by = ("id",)
    list_select_related: ClassVar = ["event"]
    unlisted: ClassVar = ("event__data",)
    actions = (REPLAY,)
    fields = (
        "id", "its_event", "about", "receiver", "state", "last_error", "attempts", "due_at", "settled_at", "waits",
        "replayed_at", "replayed_by",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description="last error")
    def problem(self, delivery: Delivery) -> str:
        return shortened(delivery.last_error)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """Search by the event: its number, what it is about or its request id, each through an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isdigit():
            return queryset.filter(event_id=int(term)), False
        by_what = "event__aggregate" if ":" in term else "event__request_id"
        return queryset.filter(**{by_what: term}), False

    @admin.display(description="event")
    def its_event(self, delivery: Delivery) -> object:
        return anchor(f"{delivery.event.type} {delivery.event_id}", page_of("events.outboxevent", delivery.event_id))

    @admin.display(description="about")
    def about(self, delivery: Delivery) -> object:
        return aggregate(delivery.aggregate)


@related("events.outboxevent")
def of_event(event: OutboxEvent) -> Iterable[Link]:
    """Link an event to what happened along with it."""
    yield Link("Its deliveries", list_of("events.delivery", event=event.pk))
    yield Link(f"All about {event.aggregate}", list_of("events.outboxevent", aggregate=event.aggregate))
    if event.request_id:
        yield Link("Events of the same request", list_of("events.outboxevent", request_id=event.request_id))


@related("events.delivery")
def of_delivery(delivery: Delivery) -> Iterable[Link]:
    """Link a delivery to its event and its neighbours."""
    yield Link("The event", page_of("events.outboxevent", delivery.event_id))
    yield Link("Other deliveries of the event", list_of("events.delivery", event=delivery.event_id))
    same = list_of("events.delivery", receiver=delivery.receiver, aggregate=delivery.aggregate)
    yield Link(f"{delivery.receiver} about {delivery.aggregate}", same)
