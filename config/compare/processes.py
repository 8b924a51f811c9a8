"""Processes and threads that start together. A process is a fork of this one, so it costs milliseconds."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from django.db import connection, connections

from apps.core.resilience.valkey import valkey_at

T = TypeVar("T")
# how long anything is waited for, and how long a process lives
SECONDS, LIFE_SECONDS = 60, 120
FORK = multiprocessing.get_context("fork")


class Failed(Exception):
    """The work of a process raised an error, or ended it before it had answered."""


class Forked(Generic[T]):
    """A process that runs `work(*args)`; it ends after two minutes at the latest."""

    def __init__(self, work: Callable[..., T], *args: Any) -> None:
        self._answers, answer = FORK.Pipe(duplex=False)
        self._process = FORK.Process(target=_run, args=(answer, work, args))
        self._process.start()
        answer.close()

    def answer(self) -> T:
        """What `work` returned. Raises Failed."""
        try:
            trace, value = self._answers.recv()
        except EOFError:
            raise Failed(f"a process ended by itself, with the status {self.ended()}") from None
        self.ended()
        if trace:
            raise Failed(trace)
        answer: T = value
        return answer

    def ended(self) -> int | None:
        """Wait for the end; the exit status, negative for the signal that ended it."""
        self._process.join()
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join()


def _run(answer: Any, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    signal.alarm(LIFE_SECONDS)
    forget_connections()
    try:
        outcome = ("", work(*args))
    except Exception:  # whatever it was, it belongs to whoever asked for the work
        outcome = (traceback.format_exc(), None)
    answer.send(outcome)
    answer.close()
    # without a clean-up that belongs to the process that was forked
    os._exit(0)


def forget_connections() -> None:
    """Let go of sockets that a fork shares with its parent, without a word to the server."""
    for one in connections.all(initialized_only=True):
        one.connection = None
    valkey_at.cache_clear()


def in_processes(number: int, work: Callable[[int], T]) -> list[T]:
    """What `work(0)`, `work(1)`, … return, each in a process of its own, all let go at the same moment."""
    start = FORK.Barrier(number)

    def run(one: int) -> T:
        start.wait(SECONDS)
        return work(one)

    started = [Forked(run, one) for one in range(number)]
    return [process.answer() for process in started]


def in_threads(number: int, work: Callable[[int], T]) -> list[T]:
    """The same in threads, each with a database connection of its own."""
    start = threading.Barrier(number, timeout=SECONDS)

    def run(one: int) -> T:
        start.wait()
        try:
            return work(one)
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition()` is true. Raises TimeoutError, with `what`, if that takes long."""
    until = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"after {SECONDS} s still not so: {what}")
        time.sleep(0.01)
