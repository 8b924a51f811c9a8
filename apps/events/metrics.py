"""The outbox for Prometheus: read from the database at each scrape, so that it is right whichever process answers."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import DatabaseError
from django.utils import timezone
from prometheus_client.core import REGISTRY, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.core.bus import bus
from apps.events.queries import GetBacklog


class BacklogCollector(Collector):
    """How many deliveries wait, how long the oldest has been waiting, how many are dead."""

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Gauges; none while the database does not answer."""
        try:
            backlog = bus.ask(GetBacklog(dead=0))
        except DatabaseError:
            return
        states = GaugeMetricFamily("outbox_deliveries", "Deliveries that are not delivered, by state", labels=["state"])
        for state in ("pending", "failed", "dead"):
            states.add_metric([state], backlog.states.get(state, 0))
        yield states
        yield GaugeMetricFamily(
            "outbox_unsequenced", "Committed events that no relay has taken yet", backlog.unsequenced
        )
        age = (timezone.now() - backlog.oldest).total_seconds() if backlog.oldest else 0.0
        yield GaugeMetricFamily("outbox_oldest_seconds", "Age of the oldest event that still waits", max(age, 0.0))


def register() -> None:
    """Add the collector to the process's metrics, once."""
    REGISTRY.register(BacklogCollector())
