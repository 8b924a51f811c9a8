"""Questions to other machines that must not keep the asker waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Bounded(Generic[T]):
    """Asks several at the same time, and waits `seconds` for all of them together.

    One that hangs is not asked again before it has answered: the next caller waits for the same answer. So a part that
    is frozen costs one thread, however often it is asked for; and as a daemon the thread does not hold up the exit.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._asked: dict[str, Future[T]] = {}
        self._lock = threading.Lock()

    def ask(self, questions: Mapping[str, Callable[[], T]]) -> dict[str, T | Exception]:
        """The answer to each question by its name, or what it raised; `TimeoutError` if none came in time."""
        until = time.monotonic() + self.seconds
        with self._lock:
            asked = {name: self._start(name, question) for name, question in questions.items()}
        return {name: self._answer(future, until) for name, future in asked.items()}

    def _start(self, name: str, question: Callable[[], T]) -> Future[T]:
        earlier = self._asked.get(name)
        if earlier is not None and not earlier.done():
            return earlier
        future: Future[T] = Future()
        self._asked[name] = future
        threading.Thread(target=_run, args=(future, question), name=f"ask {name}", daemon=True).start()
        return future

    def _answer(self, future: Future[T], until: float) -> T | Exception:
        try:
            return future.result(max(until - time.monotonic(), 0))
        except Exception as error:  # the question's own, or TimeoutError
            return error


def _run(future: Future[T], question: Callable[[], T]) -> None:
    try:
        future.set_result(question())
    except Exception as error:  # whatever it was, the asker decides
        future.set_exception(error)
