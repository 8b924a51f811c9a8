"""A work queue in PostgreSQL: rows are the truth, the broker only wakes a worker.

A row is due at `due_at`; claiming it moves `due_at` to the end of a lease, counts the attempt and gives out a token;
settling needs the token. So a worker that dies loses nothing (its rows fall due again), a worker that was thought dead
cannot settle twice, and a crash counts as an attempt. All times are the database's own clock.
Source: the transactional outbox with competing consumers, https://microservices.io/patterns/data/transactional-outbox.html.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import structlog
from celery import Celery, current_app, shared_task
from django.db import DataError, IntegrityError, InterfaceError, InternalError, OperationalError, connection, models
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerError
from prometheus_client import Counter

log = structlog.get_logger("work_queue")
WAKE_UPS = Counter("relay_wake_ups_total", "Wake-up messages sent to the broker", ["queue", "outcome"])
LEASE_SECONDS = 30
# what a thread is given at once, and how long it should take
MOST_AT_ONCE, PART_SECONDS = 50, 0.1
IDLE_SECONDS = 0.25
M = TypeVar("M", bound=models.Model)
R = TypeVar("R")
# the database's errors about one row; for errors of its own it raises OperationalError
REFUSED_ROW = (DataError, IntegrityError, InternalError)


class LeaseLost(Exception):
    """Another worker took the row over; nothing of this attempt may be kept."""


class WorkItem(models.Model):
    """What every queue's row carries; `due_at` is null once there is nothing left to do."""

    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True, db_default=Now())
    token = models.UUIDField(null=True, editable=False)
    last_error = models.TextField(blank=True, default="")

    class Meta:
        abstract = True


class DeliveryState(models.TextChoices):
    """Where a delivery of an event or a webhook stands; `failed` waits for its next attempt, `dead` for a person."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DEAD = "dead"


@dataclass(frozen=True)
class Backoff:
    """Waits between the attempts of a queued piece of work, in seconds, with up to a quarter of jitter."""

    base: float = 1.0
    factor: float = 2.0
    longest: float = 3600.0
    max_attempts: int = 15

    def wait(self, attempt: int) -> float | None:
        """The wait after the failed `attempt`, counted from 1; None if that was the last."""
        if attempt >= self.max_attempts:
            return None
        wait = min(self.base * self.factor ** (attempt - 1), self.longest)
        return wait * random.uniform(0.75, 1.25)


def claim(
    table: str,
    *,
    where: str = "true",
    params: Sequence[Any] = (),
    order: str = "q.due_at",
    limit: int,
    lease: int = LEASE_SECONDS,
) -> list[Any]:
    """Claim up to `limit` due rows of `table` for `lease` seconds; returns their keys.

    `where` narrows the choice and `order`, by default the oldest due first, says which come first (SQL over the alias
    `q`). Rows that another worker holds are skipped, not waited for.
    """
    sql = f"""
        WITH chosen AS (
            SELECT id FROM {table} q WHERE q.due_at <= statement_timestamp() AND {where}
            ORDER BY {order}, q.id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE {table} t SET token = gen_random_uuid(), attempts = attempts + 1,
               due_at = statement_timestamp() + make_interval(secs => %s)
        FROM chosen WHERE t.id = chosen.id RETURNING t.id"""  # noqa: S608 - table, where and order are constants of the code
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, limit, lease])
        return sorted(row[0] for row in cursor.fetchall())


def load(rows: models.QuerySet[M], keys: Sequence[Any]) -> tuple[list[M], dict[Any, Exception]]:
    """Those of `rows` that have `keys`, ordered by key, and the reason for each that cannot be read.

    JSON may hold numbers that Python refuses, and a time may be infinite: the other rows are read all the same.
    """
    try:
        return list(rows.filter(pk__in=keys).order_by("pk")), {}
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # the loop below finds the row that caused it
        log.warning("rows_read_singly", model=rows.model._meta.label, rows=len(keys))
    found: list[M] = []
    unreadable: dict[Any, Exception] = {}
    for key in keys:
        try:
            found += rows.filter(pk=key)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # a column's own type may raise anything
            unreadable[key] = error
    return found, unreadable


def storable(text: str) -> str:
    """`text` as PostgreSQL can keep it: without NUL, and without halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def settle(rows: models.QuerySet[Any], token: object, **changes: Any) -> None:
    """Write the outcome of an attempt: the lease ends and `changes` are kept, texts as far as they can be stored.

    Raises LeaseLost if `token` no longer holds the row; the caller's transaction must then be rolled back.
    """
    kept = {name: storable(value) if type(value) is str else value for name, value in changes.items()}
    if token is None or rows.filter(token=token).update(token=None, **kept) != 1:
        raise LeaseLost("the lease ran out and another worker has the row")


def work_in_threads(
    claim_some: Callable[[int], list[R]],
    parts: Callable[[Sequence[R], int], Iterable[Sequence[R]]],
    work: Callable[[Sequence[R], float], None],
    threads: int,
    until: float,
) -> int:
    """Claim rows and `work` them in `threads` until none is due or `until` (monotonic); returns how many were claimed.

    `parts` splits what was claimed for so many threads. A slow part holds up no other thread, and parts grow only while
    they are quickly done, so that a new row does not wait long for a free thread. `work` is told when its part was
    claimed (monotonic).
    """

    def timed(part: Sequence[R], claimed: float) -> float:
        began = time.monotonic()
        try:
            work(part, claimed)
        finally:
            # back to the pool: nothing else would return it
            connection.close()
        return time.monotonic() - began

    running: set[Future[float]] = set()
    tried, size = 0, 1
    with ThreadPoolExecutor(threads, "queue") as pool:
        while time.monotonic() < until:
            free = threads - len(running)
            claimed = time.monotonic()
            rows = claim_some(free * size) if free > 0 else []
            tried += len(rows)
            running |= (
                {pool.submit(copy_context().run, timed, part, claimed) for part in parts(rows, free)} if rows else set()
            )
            if not running:
                break
            if rows and len(running) < threads:
                continue
            # the threads need the pool's connections more than this one, which only waits for them
            connection.close()
            done, running = wait(running, IDLE_SECONDS, return_when=FIRST_COMPLETED)
            for seconds in [future.result() for future in done]:
                size = min(size * 2, MOST_AT_ONCE) if seconds < PART_SECONDS else max(size // 2, 1)
    for future in running:
        future.result()
    return tried


def prune_in_batches(delete_some: Callable[[int], int], batch: int) -> int:
    """Call `delete_some(batch)` until it deletes fewer rows than that; returns how many were deleted in all.

    Call it outside a transaction: then each batch is a short one of its own, and nobody waits long for its locks.
    """
    total = 0
    while True:
        deleted = delete_some(batch)
        total += deleted
        if deleted < batch:
            return total


def in_seconds(seconds: float) -> Any:
    """An expression for the database's own time `seconds` from now."""
    return Now() + timedelta(seconds=seconds)


class Span(NamedTuple):
    """The oldest and the newest due row of a queue; while either changes, work comes in or goes down."""

    oldest: int
    newest: int


@dataclass(frozen=True)
class Due:
    """Finds the oldest and the newest due row of a queue, in SQL; made by `due_in`."""

    oldest: str
    newest: str


@dataclass(frozen=True)
class QueuedTask:
    """A Celery task and the queue that it runs on, as its app declares it with `task`.

    Beat sends it `every` so many seconds; the relay sends it while `due` finds work.
    """

    name: str
    queue: str
    every: float | None = None
    due: Due | None = None


TASKS: dict[str, QueuedTask] = {}


def task(
    name: str, *, queue: str, every: float | None = None, due: Due | None = None
) -> Callable[[Callable[[], None]], Any]:
    """Declare a function of an app's tasks.py as the Celery task `name`; see `QueuedTask`."""
    TASKS[name] = QueuedTask(name, queue, every, due)
    return shared_task(name=name)


def due_in(table: str, *wheres: str) -> Due:
    """The due rows of `table` that one of `wheres` (SQL over the alias `q`) lets a worker claim.

    Each of `wheres` names rows that an index has in the order of `due_at`.
    """
    oldest, newest = [], []
    for where in wheres or ("true",):
        one = f"SELECT q.id FROM {table} q WHERE q.due_at <= statement_timestamp() AND {where} ORDER BY q.due_at"  # noqa: S608 - as above
        oldest.append(f"({one}, q.id LIMIT 1)")
        newest.append(f"({one} DESC, q.id DESC LIMIT 1)")
    return Due(f"least({', '.join(oldest)})", f"greatest({', '.join(newest)})")


def any_due(table: str, where: str) -> str:
    """SQL: whether `where` holds for any due row of `table`; an index must have these rows in the order of `due_at`.

    EXISTS would let the planner scan the table, in which all that was settled comes first.
    """
    one = f"SELECT true FROM {table} q WHERE q.due_at <= statement_timestamp() AND {where} ORDER BY q.due_at LIMIT 1"  # noqa: S608 - as above
    return f"coalesce(({one}), false)"


def woken_tasks() -> list[QueuedTask]:
    """The tasks that the relay sends."""
    return [task for task in TASKS.values() if task.due]


def look(tasks: Sequence[QueuedTask]) -> list[Span | None]:
    """What is due for each of `tasks`, if anything: one statement, and a cheap one."""
    ends = [f"{task.due.oldest}, {task.due.newest}" for task in tasks if task.due]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(ends)}")
        found = cursor.fetchone()
    spans = zip(found[::2], found[1::2], strict=True)
    return [None if oldest is None else Span(oldest, newest) for oldest, newest in spans]


def send_wake_up(woken: QueuedTask, app: Celery = current_app) -> bool:
    """Put one wake-up on the broker; False, and a log line, if the broker does not take it in about a second.

    A wake-up that waited ten seconds is dropped by the worker: by then the relay has sent another.
    """
    try:
        app.send_task(woken.name, queue=woken.queue, expires=10, ignore_result=True)
    except (BrokerError, OSError) as error:
        WAKE_UPS.labels(woken.queue, "failed").inc()
        log.warning("broker_away", queue=woken.queue, error=str(error))
        return False
    WAKE_UPS.labels(woken.queue, "sent").inc()
    return True
