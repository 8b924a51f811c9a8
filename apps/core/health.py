"""Health: is the process alive, and can it do its work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

import redis
from celery import current_app
from celery.signals import heartbeat_sent, worker_shutting_down
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse

from apps.core.api.problems import only_safe
from apps.core.api.renderers import json_answer
from apps.core.work_queue import WAKES

TIMEOUT_SECONDS = 2
# a worker reports every two seconds or so; one that was stopped is missed within half a minute
WORKER_SECONDS = 30


def _valkey() -> redis.Redis:
    timeouts: Any = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    return redis.Redis.from_url(settings.ENV.redis_url, **timeouts)


@only_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; touches nothing else."""
    return json_answer({"status": "ok"})


@only_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when every part that is needed answers in time, else 503 with the failing ones named."""
    checks = {"database": _database, "cache": _cache, "broker": _broker, "worker": _worker}
    outcomes = _outcomes(checks)
    failed = [name for name, outcome in outcomes.items() if outcome != "ok"]
    body = {"status": "unavailable" if failed else "ok", "failed": failed, "checks": outcomes}
    headers = {"Retry-After": "5"} if failed else {}
    return json_answer(body, 503 if failed else 200, {**headers, "Cache-Control": "no-store"})


def _outcomes(checks: dict[str, Callable[[], None]]) -> dict[str, str]:
    pool = ThreadPoolExecutor(len(checks), "readyz")
    started = {name: pool.submit(_outcome, check) for name, check in checks.items()}
    # a part that is frozen must not freeze the answer; its thread ends when it does
    pool.shutdown(wait=False)
    done, _ = wait(started.values(), timeout=TIMEOUT_SECONDS + 1)
    return {name: check.result() if check in done else "failed: no answer in time" for name, check in started.items()}


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:  # whatever a part fails with, the answer only says that it does
        return f"failed: {type(error).__name__}"
    finally:
        connection.close()
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _cache() -> None:
    _valkey().ping()


def _broker() -> None:
    with current_app.connection(connect_timeout=TIMEOUT_SECONDS) as broker:
        broker.ensure_connection(max_retries=1, timeout=TIMEOUT_SECONDS)


def _worker() -> None:
    names = sorted({wake.queue for wake in WAKES.values()})
    seen = _valkey().mget([_heartbeat_key(name) for name in names])
    silent = [name for name, moment in zip(names, seen, strict=True) if moment is None]
    if silent:
        raise NoWorker(", ".join(silent))


class NoWorker(Exception):
    """No worker takes from a queue."""


def _heartbeat_key(queue: str) -> str:
    return f"worker:{queue}"


_stopping = threading.Event()


@heartbeat_sent.connect
def keep_heartbeat(**_: Any) -> None:
    """In a Celery worker, every two seconds: say that its queues are served."""
    if _stopping.is_set():
        return
    # a cache that is away shows in /readyz anyway
    with suppress(redis.RedisError), _valkey() as valkey:
        for queue in current_app.amqp.queues.consume_from:
            valkey.set(_heartbeat_key(queue), int(time.time()), ex=WORKER_SECONDS)


@worker_shutting_down.connect
def end_heartbeat(**_: Any) -> None:
    """A worker that is told to stop is missed at once, though it still ends its tasks."""
    _stopping.set()
    with suppress(redis.RedisError), _valkey() as valkey:
        valkey.delete(*[_heartbeat_key(queue) for queue in current_app.amqp.queues.consume_from])
