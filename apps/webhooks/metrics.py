"""Webhook deliveries on their way, for Prometheus; attempts are counted when they are made (webhook_seconds)."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core.queue.work_queue import DeliveryState
from apps.events.queries import BOUND
from apps.webhooks.models import WebhookDelivery


def waiting() -> Iterator[Metric]:
    """How many deliveries are pending and failed; two short statements over a partial index."""
    bounded = f"counted up to {BOUND}: {BOUND + 1} stands for more"
    name, text = "webhook_deliveries", f"Webhook deliveries on their way, by state, {bounded}"
    states = GaugeMetricFamily(name, text, labels=["state"])
    for state in (DeliveryState.PENDING, DeliveryState.FAILED):
        rows = WebhookDelivery.objects.filter(state=state).order_by("-id")
        states.add_metric([state], rows[: BOUND + 1].count())
    yield states
