"""Threads that start together, for races."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


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
