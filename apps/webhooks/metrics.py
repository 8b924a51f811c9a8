"""Webhook deliveries that are not delivered, for Prometheus; and the attempts, which count when they are made."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core.queue.work_queue import DeliveryState
from apps.core.reads import CAP
from apps.events.metrics import BOUNDED
from apps.webhooks.models import WebhookDelivery

# here and not beside the sender, which few processes load: the page of metrics has it from the start
WEBHOOKS = Histogram(
    "webhook_seconds",
    "Attempts to deliver a webhook; dead: the last one failed",
    ["outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
# increase() misses a counter that appears with its first increment, so these exist from the start
for _outcome in ("delivered", "failed", "dead"):
    WEBHOOKS.labels(_outcome)


def waiting() -> Iterator[Metric]:
    """How many deliveries are pending and failed; two short statements over a partial index."""
    name, text = "webhook_deliveries", f"Webhook deliveries on their way, by state, {BOUNDED}"
    states = GaugeMetricFamily(name, text, labels=["state"])
    for state in (DeliveryState.PENDING, DeliveryState.FAILED):
        rows = WebhookDelivery.objects.filter(state=state).order_by("-id")
        states.add_metric([state], rows[: CAP + 1].count())
    yield states
