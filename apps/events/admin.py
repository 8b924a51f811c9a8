"""Events and their deliveries in the admin: to look at, and to replay."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin import HistoryAdmin
from apps.core.bus import bus
from apps.core.errors import DomainError
from apps.events.commands import ReplayDeliveries
from apps.events.models import Delivery, OutboxEvent


class DeliveryInline(admin.TabularInline[Delivery, OutboxEvent]):
    """The deliveries of an event."""

    model = Delivery
    fields = ("receiver", "state", "attempts", "due_at", "settled_at", "last_error")
    readonly_fields = fields
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(OutboxEvent)
class OutboxEventAdmin(HistoryAdmin[OutboxEvent]):
    """Events."""

    list_display = ("id", "type", "aggregate", "occurred_at", "position", "request_id")
    list_filter = ("type",)
    search_fields = ("=aggregate", "=request_id")
    ordering = ("-id",)
    date_hierarchy = "occurred_at"
    inlines: ClassVar = [DeliveryInline]


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin[Delivery]):
    """Deliveries; dead and failed ones can be tried again."""

    list_display = ("id", "event", "receiver", "state", "attempts", "last_error", "due_at", "settled_at")
    list_filter = ("state", "receiver")
    search_fields = ("=aggregate", "=event__request_id")
    ordering = ("-id",)
    list_select_related: ClassVar = ["event"]
    actions = ("replay",)

    @admin.action(description="Try the selected deliveries again")
    def replay(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Run ReplayDeliveries and note it in the log of each."""
        deliveries = list(queryset)
        try:
            count = bus.execute(ReplayDeliveries(tuple(d.pk for d in deliveries), by=str(request.user)))
        except DomainError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        for delivery in deliveries:
            self.log_change(request, delivery, "replayed")
        self.message_user(request, f"{count} deliveries will be tried again.")
