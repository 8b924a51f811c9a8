"""The states of breakers and workers, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core.bus import bus
from apps.core.resilience.breaker_state import CLOSED, HALF_OPEN, OPEN
from apps.core.resilience.breakers import GetBreakers
from apps.core.resilience.valkey import patient_client
from apps.core.telemetry.state import STATE, VALKEY
from apps.core.telemetry.worker import served_queues

TIMEOUT_SECONDS = 1.0


def breakers() -> Iterator[Metric]:
    """Every breaker as all processes see it: 1 for the state it is in, 0 for the others."""
    states = GaugeMetricFamily("breaker_state", "State of the circuit breakers", labels=["breaker", "state"])
    for name, found in bus.ask(GetBreakers()).items():
        for state in (CLOSED, HALF_OPEN, OPEN):
            label = state.replace("-", "_")
            states.add_metric([name, label], label == found)
    yield states


def workers() -> Iterator[Metric]:
    """Every queue, and whether a worker takes from it."""
    up = GaugeMetricFamily("worker_up", "Whether a Celery worker takes from the queue", labels=["queue"])
    with patient_client(settings.VALKEY_URL, TIMEOUT_SECONDS) as valkey:
        for queue, alive in served_queues(valkey).items():
            up.add_metric([queue], alive)
    yield up


STATE.add(VALKEY, "breakers", breakers)
STATE.add(VALKEY, "workers", workers)
