"""Threads that start together, transactions that are held open: races that happen every time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection, transaction

from apps.core.bus import Command, bus
from tests.waiting import wait_for

T = TypeVar("T")
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def at_once(threads: int, work: Callable[[int], T]) -> list[T | Exception]:
    """What `work(0)`, `work(1)`, … returned or raised, each in a thread of its own, all let go at the same moment."""
    start = threading.Barrier(threads, timeout=30)

    def run(number: int) -> T | Exception:
        start.wait()
        try:
            return work(number)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


@contextmanager
def held_open(work: Callable[[], object]) -> Iterator[None]:
    """Do `work` in a transaction of another connection, which commits only when the block ends."""
    done, end = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with transaction.atomic():
                work()
                done.set()
                assert end.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(run)
        try:
            assert done.wait(30)
            yield
        finally:
            end.set()
            other.result(30)


def waiting_for_a_lock() -> int:
    """How many connections to this database wait for a lock that another one holds."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return int(cursor.fetchone()[0])


def overtaken(change: Command[Any], work: Callable[[], Any]) -> Any:
    """What `work` returns or raises when `change` is under way as it begins, and is committed before it ends."""
    with ThreadPoolExecutor(1) as pool:
        with held_open(lambda: bus.execute(change)):
            answer = pool.submit(at_once, 1, lambda _: work())
            wait_for(waiting_for_a_lock, "it waits for the change")
        return answer.result(30)[0]
