"""A thread in each long-lived process: reports that it lives, and the state of its pool of database connections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from django.conf import settings
from prometheus_client import Counter, Gauge

from apps.core.postgresql.base import open_pool

SECONDS = 2.0
POOL_SIZE = Gauge("db_pool_size", "Database connections of the pools", ["process"], multiprocess_mode="livesum")
POOL_AVAILABLE = Gauge("db_pool_available", "Those of them that are idle", ["process"], multiprocess_mode="livesum")
POOL_WAITING = Gauge("db_pool_waiting", "Callers waiting for a connection", ["process"], multiprocess_mode="livesum")
POOL_QUEUED = Counter("db_pool_queued_total", "Callers that had to wait for a connection", ["process"])
POOL_REFUSED = Counter("db_pool_refused_total", "Callers that got no connection in time", ["process"])


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
    """Touch settings.HEARTBEAT_FILE, by whose age a container's health check sees that a process works."""
    if file := settings.HEARTBEAT_FILE:
        with suppress(OSError):
            file.touch()


def measure_pool(process: str) -> None:
    """Set this process's gauges, and add what its pool has counted since the last time."""
    pool = open_pool()
    stats = pool.pop_stats() if pool else {}
    POOL_SIZE.labels(process).set(stats.get("pool_size", 0))
    POOL_AVAILABLE.labels(process).set(stats.get("pool_available", 0))
    POOL_WAITING.labels(process).set(stats.get("requests_waiting", 0))
    POOL_QUEUED.labels(process).inc(stats.get("requests_queued", 0))
    POOL_REFUSED.labels(process).inc(stats.get("requests_errors", 0))
