"""Prometheus metrics that every app shares. Labels take few values, all of them known to the code."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import structlog
from django.conf import settings
from prometheus_client import Counter, Gauge, Histogram, values

from apps.core.metrics_slots import VARIABLE, Slots

log = structlog.get_logger("metrics")
UNMATCHED = "unmatched"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _slots() -> Slots | None:
    """Where this process adds its numbers to those of others; None: it counts for itself alone."""
    if port := settings.ENV.metrics_port:
        os.environ.setdefault(VARIABLE, str(settings.ENV.state_dir / f"metrics-{port}"))
    try:
        return Slots(Path(folder)) if (folder := os.environ.get(VARIABLE)) else None
    except OSError as error:
        log.warning("metrics_of_one_process_only", folder=os.environ.pop(VARIABLE), error=str(error))
        return None


SLOTS = _slots()
# before the first metric is made: it decides where all of them keep their values
values.ValueClass = values.MultiProcessValue(SLOTS.mine) if SLOTS else values.MutexValue  # type: ignore[no-untyped-call]

REQUESTS = Histogram(
    "http_request_seconds",
    "Requests answered, by the template of their route",
    ["route", "method", "status"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
COMMANDS = Histogram(
    "command_seconds", "Commands run by the bus", ["command", "outcome"], buckets=(0.005, 0.025, 0.1, 0.5, 2.5, 15)
)
RATE_LIMITED = Counter("rate_limit_refusals_total", "Requests refused by the rate limit", ["scope"])
RATE_LIMIT_OPEN = Counter("rate_limit_unavailable_total", "Requests let through because Valkey did not answer")
BREAKER_CHANGES = Counter("breaker_state_changes_total", "Circuit breaker transitions", ["breaker", "state"])
RETRIES = Counter("retries_total", "Calls repeated after a transient error", ["call"])
RELAYED = Counter("relay_events_total", "Events that the relay has taken out of the outbox")
RELAY_REFUSED = Counter("relay_refused_total", "Events that could not be fanned out and were set aside for a while")
DELIVERIES = Counter("event_deliveries_total", "Attempts to deliver an event", ["receiver", "outcome"])
WAKE_UPS = Counter("relay_wake_ups_total", "Wake-up messages sent to the broker", ["queue", "outcome"])
WEBHOOKS = Histogram(
    "webhook_seconds",
    "Attempts to deliver a webhook; dead: the last one failed",
    ["outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
JOBS = Counter("jobs_finished_total", "Background jobs that have ended", ["kind", "status"])
TASKS = Histogram(
    "celery_task_seconds", "Celery tasks run, by how they ended", ["task", "state"], buckets=(0.05, 0.25, 1, 5, 30, 240)
)
TASKS_LOST = Counter("celery_tasks_lost_total", "Celery tasks that ended without an end of their own", ["reason"])
POOL_SIZE = Gauge("db_pool_size", "Database connections of the pools", ["process"], multiprocess_mode="livesum")
POOL_AVAILABLE = Gauge("db_pool_available", "Those of them that are idle", ["process"], multiprocess_mode="livesum")
POOL_WAITING = Gauge("db_pool_waiting", "Callers waiting for a connection", ["process"], multiprocess_mode="livesum")
POOL_QUEUED = Counter("db_pool_queued_total", "Callers that had to wait for a connection", ["process"])
POOL_REFUSED = Counter("db_pool_refused_total", "Callers that got no connection in time", ["process"])

# a counter that appears at its first increment hides it from increase(): these are there from the start
for _scope in ("user", "addr"):
    RATE_LIMITED.labels(_scope)
for _outcome in ("delivered", "failed", "dead"):
    WEBHOOKS.labels(_outcome)
for _reason in ("expired", "killed", "time_limit"):
    TASKS_LOST.labels(_reason)


@cache
def request_metric(route: str, method: str, status: int) -> Histogram:
    """The histogram's child for an answer; `method` as the client wrote it. Bounded, as its labels are."""
    return REQUESTS.labels(route, method, str(status))


def count_request(route: str | None, method: str | None, status: int, seconds: float) -> None:
    """Count an answer of the route with the template `route`; None where none matched."""
    known = method if method in METHODS else "other"
    request_metric(UNMATCHED if route is None else route, known, status).observe(seconds)
