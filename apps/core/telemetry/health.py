"""Health: is the process alive, and can it do its work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import redis
from celery import current_app
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse

from apps.core.http.problems import only_safe
from apps.core.http.renderers import json_answer
from apps.core.resilience.bounded import Bounded
from apps.core.resilience.valkey import patient_client
from apps.core.telemetry.worker import served_queues

TIMEOUT_SECONDS = 2
_bounded: Bounded[None] = Bounded(TIMEOUT_SECONDS + 1)


class Failing(Exception):
    """A part does not do its work; the message says why, and may be shown to everybody."""


def _valkey() -> redis.Redis:
    return patient_client(settings.VALKEY_URL, TIMEOUT_SECONDS)


@only_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the process answers; touches nothing else."""
    return json_answer({"status": "ok"})


@only_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 if every part that is needed answers in time, else 503 with the failing ones named."""
    checks = {
        "database": _database,
        "migrations": _migrations,
        "cache": _cache,
        "broker": _broker,
        "worker": _worker,
    }
    found = _bounded.ask({name: partial(_closing, check) for name, check in checks.items()})
    if found["database"] and not isinstance(found["migrations"], Failing):
        # unknown without the database, whose failure is named already
        del found["migrations"]
    outcomes = {name: _in_words(error) for name, error in found.items()}
    failed = [name for name, outcome in outcomes.items() if outcome != "ok"]
    body = {
        "status": "unavailable" if failed else "ok",
        "failed": failed,
        "checks": outcomes,
        "timeout_seconds": TIMEOUT_SECONDS,
    }
    headers = {"Retry-After": "5"} if failed else {}
    return json_answer(body, 503 if failed else 200, {**headers, "Cache-Control": "no-store"})


def _closing(check: Callable[[], None]) -> None:
    try:
        check()
    finally:
        connection.close()


def _in_words(error: Exception | None) -> str:
    if error is None:
        return "ok"
    if isinstance(error, TimeoutError | redis.TimeoutError):
        return f"failed: no answer within {TIMEOUT_SECONDS} s"
    # of any other error only its class: its text may name addresses
    return f"failed: {error}" if isinstance(error, Failing) else f"failed: {type(error).__name__}"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _cache() -> None:
    _valkey().ping()


def _broker() -> None:
    with current_app.connection(connect_timeout=TIMEOUT_SECONDS) as broker:
        broker.ensure_connection(max_retries=1, timeout=TIMEOUT_SECONDS)


def _worker() -> None:
    silent = [queue for queue, alive in served_queues(_valkey()).items() if not alive]
    if silent:
        raise Failing(f"no worker takes from {', '.join(silent)}")


_in_step = threading.Event()


def _migrations() -> None:
    """Look until there is nothing to apply; once this process has seen that, it does not look again."""
    if _in_step.is_set():
        return
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        raise Failing(f"pending: {', '.join(f'{migration.app_label}.{migration.name}' for migration, _ in plan)}")
    _in_step.set()
