"""The outbox and its deliveries.

An event is one row, written in the transaction of the change that caused it. The relay gives it its `position` in the
feed and one delivery per receiver.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.core.context import TRACEPARENT_LENGTH
from apps.core.queue.work_queue import DeliveryState, WorkItem


class OutboxEvent(models.Model):
    """Something that happened; never changed except for `position`, which the relay assigns in commit order."""

    type = models.CharField(max_length=100)
    aggregate = models.CharField(max_length=100)
    data = models.JSONField()
    occurred_at = models.DateTimeField(db_default=Now())
    request_id = models.CharField(max_length=128, blank=True, default="")
    traceparent = models.CharField(max_length=TRACEPARENT_LENGTH, blank=True, default="", db_default="")
    bulk = models.BooleanField(
        db_default=False, default=False, help_text="nobody waits for it: what people do goes first"
    )
    position = models.BigIntegerField(null=True, unique=True, editable=False)

    class Meta:
        verbose_name = "event"
        indexes: ClassVar = [
            models.Index(F("bulk"), F("id") + 0, name="events_untaken", condition=Q(position__isnull=True)),
            models.Index(
                fields=["aggregate", "id"], name="events_bulk_order", condition=Q(position__isnull=True, bulk=True)
            ),
            models.Index(fields=["type", "position"], name="events_type_position"),
            models.Index(fields=["aggregate", "id"], name="events_aggregate"),
            models.Index(fields=["occurred_at"], name="events_occurred_at"),
            models.Index(fields=["request_id"], name="events_request", condition=~Q(request_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.aggregate}"


class Delivery(WorkItem):
    """One event on its way to one receiver; those of one `aggregate` go in order: see lines.py.

    A trigger takes the mark `behind` off the next of a line when one is settled or deleted.

    `place` is the traceparent of the attempt that is being made; it is not stored.
    """

    place = ""
    event = models.ForeignKey(OutboxEvent, on_delete=models.CASCADE, related_name="deliveries")
    receiver = models.CharField(max_length=100)
    aggregate = models.CharField(max_length=100)
    waits = models.BooleanField(default=False, help_text="the receiver waits for another machine")
    bulk = models.BooleanField(
        db_default=False, default=False, help_text="nobody waits for it: what people do goes first"
    )
    behind = models.BooleanField(
        db_default=False, default=False, editable=False, help_text="an earlier one of its line waits"
    )
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.PENDING)
    settled_at = models.DateTimeField(null=True, editable=False)
    replayed_at = models.DateTimeField(null=True, editable=False)
    replayed_by = models.CharField(max_length=254, blank=True, default="", db_default="", editable=False)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "receiver"], name="events_delivery_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["waits", "bulk", "due_at", "id"],
                name="events_delivery_heads",
                condition=Q(due_at__isnull=False, behind=False),
            ),
            models.Index(
                F("receiver"),
                F("aggregate"),
                F("id") + 0,
                name="events_delivery_line",
                condition=Q(due_at__isnull=False),
            ),
            models.Index(fields=["state", "id"], name="events_delivery_state"),
        ]

    def __str__(self) -> str:
        return f"{self.receiver} ← {self.event_id}"
