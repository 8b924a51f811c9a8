"""Retry with exponential backoff and jitter, for calls to other machines.

The n-th wait is drawn between half of and the whole of `min(base_delay * exponential_base ** (n - 1), max_delay)`
("equal jitter": https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that callers that failed
together do not come back together. Only errors that may pass are retried; the other side's `Retry-After` is honoured;
nobody sleeps after the last attempt or past the budget. Retry goes outside the circuit breaker: each attempt is one
call that the breaker sees, and an open breaker ends the retrying.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import structlog
from prometheus_client import Counter

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger("retry")
RETRIES = Counter("retries_total", "Calls repeated after a transient error", ["call"])


class TransientError(Exception):
    """A failure that may pass by itself; `retry_after` is the other side's wish in seconds, if it had one."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Retry:
    """How often and how patiently to repeat a call; delays and budget in seconds.

    `budget` bounds the time from the first attempt to the end of the last wait. Use as a decorator, or `call`.
    """

    max_attempts: int = 3
    base_delay: float = 1.0
    max_delay: float = 60.0
    exponential_base: float = 2.0
    budget: float = 60.0
    retry_on: type[Exception] | tuple[type[Exception], ...] = TransientError
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    draw: Callable[[], float] = field(default=random.random, repr=False)

    def longest_wait(self, attempt: int) -> float:
        """The upper bound of the wait after the failed `attempt`, counted from 1."""
        return float(min(self.base_delay * self.exponential_base ** (attempt - 1), self.max_delay))

    def wait(self, attempt: int) -> float:
        """The wait after the failed `attempt`, jitter included."""
        return self.longest_wait(attempt) * (0.5 + 0.5 * self.draw())

    def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `func` until it answers; raises its last error when attempts or budget are used up."""
        start = self.clock()
        attempt = 1
        while True:
            try:
                return func(*args, **kwargs)
            except self.retry_on as error:
                wait = max(self.wait(attempt), getattr(error, "retry_after", None) or 0.0)
                spent = self.clock() - start
                if attempt >= self.max_attempts or spent + wait > self.budget:
                    raise
                name = getattr(func, "__qualname__", repr(func))
                RETRIES.labels(name).inc()
                log.warning("retry", call=name, attempt=attempt, wait_seconds=round(wait, 3), error=str(error))
            self.sleep(wait)
            attempt += 1

    def __call__(self, func: Callable[P, T]) -> Callable[P, T]:
        """Decorate `func` so that each call of it is retried."""

        @functools.wraps(func)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            return self.call(func, *args, **kwargs)

        return wrapper
