"""A thread in each long-lived process: tells that it lives, and how its pool of database connections stands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from django.conf import settings

from apps.core.metrics import POOL_AVAILABLE, POOL_QUEUED, POOL_REFUSED, POOL_SIZE, POOL_WAITING
from apps.core.postgresql.base import open_pool

SECONDS = 2.0


def start(process: str, beat: Callable[[], None] = lambda: None) -> None:
    """Measure now and every two seconds under the label `process`, and call `beat` each time."""
    threading.Thread(target=_run, args=(process, beat), name="pulse", daemon=True).start()


def _run(process: str, beat: Callable[[], None]) -> None:
    pause = threading.Event()
    while True:
        beat()
        measure_pool(process)
        pause.wait(SECONDS)


def touch_heartbeat() -> None:
    """Touch $STATE_DIR/heartbeat-$METRICS_PORT, by whose age a container's health check sees that a process works."""
    if port := settings.ENV.metrics_port:
        with suppress(OSError):
            (settings.ENV.state_dir / f"heartbeat-{port}").touch()


def measure_pool(process: str) -> None:
    """Set this process's gauges, and add what its pool has counted since the last time."""
    pool = open_pool()
    stats = pool.pop_stats() if pool else {}
    POOL_SIZE.labels(process).set(stats.get("pool_size", 0))
    POOL_AVAILABLE.labels(process).set(stats.get("pool_available", 0))
    POOL_WAITING.labels(process).set(stats.get("requests_waiting", 0))
    POOL_QUEUED.labels(process).inc(stats.get("requests_queued", 0))
    POOL_REFUSED.labels(process).inc(stats.get("requests_errors", 0))
