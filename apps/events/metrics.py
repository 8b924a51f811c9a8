"""The outbox for Prometheus: read from the database at each scrape, so every process gives the right answer."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core.bus import bus
from apps.core.reads import CAP
from apps.events.queries import CLASS_OF, GetBacklog

BOUNDED = f"counted up to {CAP}: {CAP + 1} stands for more"


def backlog() -> Iterator[Metric]:
    """How many deliveries wait, how long the oldest has been waiting, how many are dead."""
    found = bus.ask(GetBacklog(dead=0))
    states = GaugeMetricFamily(
        "outbox_deliveries", f"Deliveries that are not delivered, by state, {BOUNDED}", labels=["state"]
    )
    for state in ("pending", "failed", "dead"):
        states.add_metric([state], found.states.get(state, 0))
    yield states
    yield GaugeMetricFamily(
        "outbox_unsequenced", f"Committed events that no relay has taken yet, {BOUNDED}", found.unsequenced
    )
    ages = GaugeMetricFamily("outbox_oldest_seconds", "Age of the oldest event that still waits", labels=["class"])
    for name in CLASS_OF.values():
        since = found.oldest_of.get(name)
        ages.add_metric([name], max((timezone.now() - since).total_seconds(), 0.0) if since else 0.0)
    yield ages
