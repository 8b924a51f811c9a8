"""What a Celery worker reports about itself: that it lives, and how its tasks end.

A worker serves its queues as long as its main process lives and any child of its pool does. Each child puts the time
into memory that all of them share; the main process reports to Valkey while that time is fresh. So a worker
is missed when it is killed, when it is stopped, and when only its children are. A check by a task
would wait behind long tasks, and a busy worker would seem dead.
"""

from __future__ import annotations

import mmap
import struct
import threading
import time
from contextlib import suppress
from typing import Any

import redis
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import current_app
from celery.signals import (
    heartbeat_sent,
    task_failure,
    task_postrun,
    task_prerun,
    task_revoked,
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutting_down,
)
from django.conf import settings
from prometheus_client import Counter, Histogram

from apps.core.queue.work_queue import TASKS
from apps.core.resilience.valkey import patient_client
from apps.core.telemetry import heartbeats, pulse
from apps.core.telemetry.exposition import listen

# a child that has not run for so long does not work
CHILD_SECONDS = 15
VALKEY_TIMEOUT_SECONDS = 2
LOOK_SECONDS = 0.1
TASK_SECONDS = Histogram(
    "celery_task_seconds", "Celery tasks run, by how they ended", ["task", "state"], buckets=(0.05, 0.25, 1, 5, 30, 240)
)
TASKS_LOST = Counter("celery_tasks_lost_total", "Celery tasks that ended without an end of their own", ["reason"])
# increase() misses a counter that appears with its first increment, so these exist from the start
for _reason in ("expired", "killed", "time_limit"):
    TASKS_LOST.labels(_reason)

_stopping = threading.Event()
_moment = struct.Struct("d")
# shared with the children, which are forked later
_last_beat = mmap.mmap(-1, _moment.size)


def served_queues(valkey: redis.Redis) -> dict[str, bool]:
    """Every queue by name, and whether a worker has said lately that it takes from it. Raises redis.RedisError."""
    return heartbeats.served(valkey, settings.VALKEY_PREFIX, sorted({task.queue for task in TASKS.values()}))


def _valkey() -> redis.Redis:
    return patient_client(settings.VALKEY_URL, VALKEY_TIMEOUT_SECONDS)


def _beat() -> None:
    _moment.pack_into(_last_beat, 0, time.monotonic())


def _children_live() -> bool:
    (moment,) = _moment.unpack_from(_last_beat)
    return bool(time.monotonic() - moment < CHILD_SECONDS)


@worker_process_init.connect
def start_child(**_: Any) -> None:
    """Start the pulse, in a child of the pool."""
    pulse.start("worker", _beat)


@worker_ready.connect
def begin_heartbeat(sender: Any, **_: Any) -> None:
    """Say so as soon as there are children, too: the next heartbeat is two seconds away."""
    if _children_live():
        keep_heartbeat()
    else:
        sender.timer.call_after(LOOK_SECONDS, begin_heartbeat, (sender,))


@heartbeat_sent.connect
def keep_heartbeat(**_: Any) -> None:
    """Say that the queues are served; in the main process, every two seconds."""
    if _stopping.is_set() or not _children_live():
        return
    # if Valkey does not answer, /readyz shows it anyway
    with suppress(redis.RedisError), _valkey() as valkey:
        heartbeats.report(valkey, settings.VALKEY_PREFIX, current_app.amqp.queues.consume_from)
    pulse.touch_heartbeat()


@worker_shutting_down.connect
def end_heartbeat(**_: Any) -> None:
    """Withdraw the heartbeat of a worker that is told to stop, though it still ends its tasks."""
    _stopping.set()
    with suppress(redis.RedisError), _valkey() as valkey:
        heartbeats.withdraw(valkey, settings.VALKEY_PREFIX, current_app.amqp.queues.consume_from)


@worker_init.connect
def show_metrics(**_: Any) -> None:
    """Show the worker's metrics; in the main process, before it has children."""
    listen(*settings.METRICS_ADDRESS)


_started: dict[str, float] = {}


@task_prerun.connect
def task_starts(task_id: str, **_: Any) -> None:
    """Note when a task begins; in a child."""
    _started[task_id] = time.perf_counter()


@task_postrun.connect
def task_ends(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    """Count a task that has ended, well or not; in a child."""
    seconds = time.perf_counter() - _started.pop(task_id, time.perf_counter())
    TASK_SECONDS.labels(task.name, state or "UNKNOWN").observe(seconds)


@task_failure.connect
def task_fails(exception: BaseException, **_: Any) -> None:
    """Count a task whose child is gone; in the main process. One that fails by itself is counted in its child."""
    if isinstance(exception, TimeLimitExceeded):
        TASKS_LOST.labels("time_limit").inc()
    elif isinstance(exception, WorkerLostError):
        TASKS_LOST.labels("killed").inc()


@task_revoked.connect
def task_dropped(expired: bool = False, **_: Any) -> None:
    """Count a wake-up that waited too long, while another is on its way; in the main process."""
    if expired:
        TASKS_LOST.labels("expired").inc()
