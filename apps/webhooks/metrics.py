"""Webhook deliveries on their way, for Prometheus; attempts are counted when they are made (webhook_seconds)."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core.queue.work_queue import DeliveryState
from apps.webhooks.models import WebhookDelivery


def waiting() -> Iterator[Metric]:
    """How many deliveries are pending and failed; one statement over a partial index."""
    states = GaugeMetricFamily("webhook_deliveries", "Webhook deliveries on their way, by state", labels=["state"])
    rows = WebhookDelivery.objects.filter(due_at__isnull=False)
    counts: dict[str, int] = dict(rows.values_list("state").annotate(n=Count("id")).order_by())
    for state in (DeliveryState.PENDING, DeliveryState.FAILED):
        states.add_metric([state], counts.get(state, 0))
    yield states
