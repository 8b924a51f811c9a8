"""Webhook endpoints, and the deliveries to them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.core.context import TRACEPARENT_LENGTH
from apps.core.queue.work_queue import DeliveryState, WorkItem
from apps.webhooks.names import host_of

URL_LENGTH = 2000


class Endpoint(models.Model):
    """A URL that events are sent to; its secrets are stored encrypted.

    `failures` counts failed requests since the last success: from BREAKER_THRESHOLD on one request at a time probes
    the endpoint. `failing_since` is when the first of them was; after days without a success the endpoint is disabled.
    """

    url = models.CharField(max_length=URL_LENGTH)
    event_types = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    description = models.CharField(max_length=500, blank=True, default="")
    is_active = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=200, blank=True, default="")
    secret = models.TextField(editable=False)
    previous_secret = models.TextField(blank=True, default="", editable=False)
    previous_secret_until = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        verbose_name = "webhook"

    def __str__(self) -> str:
        """For logs and messages: without the URL, which is a secret for many services."""
        return f"webhook {self.pk} at {host_of(self.url)}" if self.pk else host_of(self.url)


class WebhookDelivery(WorkItem):
    """One message to one endpoint; `body` is exactly what is signed and sent, `log` has an entry for each attempt."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    message_id = models.CharField(max_length=64)
    event_id = models.BigIntegerField(null=True)
    event_type = models.CharField(max_length=100)
    body = models.TextField()
    request_id = models.CharField(max_length=128, blank=True, default="")
    traceparent = models.CharField(max_length=TRACEPARENT_LENGTH, blank=True, default="", db_default="")
    bulk = models.BooleanField(
        db_default=False, default=False, help_text="nobody waits for it: what people do goes first"
    )
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.PENDING)
    log = models.JSONField(default=list)
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["endpoint", "message_id"], name="webhooks_delivery_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bulk", "due_at", "id"], name="webhooks_turn", condition=Q(due_at__isnull=False)),
            models.Index(
                fields=["endpoint", "bulk", "due_at", "id"],
                name="webhooks_endpoint_turn",
                condition=Q(due_at__isnull=False),
            ),
            models.Index(fields=["endpoint"], name="webhooks_in_flight", condition=Q(token__isnull=False)),
            models.Index(fields=["endpoint", "-id"], name="webhooks_endpoint_newest"),
            models.Index(fields=["state", "id"], name="webhooks_undelivered", condition=~Q(state="delivered")),
            models.Index(fields=["message_id"], name="webhooks_message"),
            models.Index(fields=["settled_at"], name="webhooks_settled", condition=Q(settled_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.message_id}"
