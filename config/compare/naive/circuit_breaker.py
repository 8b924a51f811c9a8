"""Circuit breaker, naive: the three states as fields of an object, one in each process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class CircuitOpenError(Exception):
    """The call was not made."""


class CircuitBreaker:
    """Calls functions until too many have failed; `recovery_timeout` seconds later it tries again."""

    def __init__(self, failure_threshold: int = 5, recovery_timeout: float = 30.0) -> None:
        self.failure_threshold = failure_threshold
        self.recovery_timeout = recovery_timeout
        self.failure_count = 0
        self.last_failure_time = 0.0
        self.state = "closed"

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self.state == "open":
            if time.monotonic() - self.last_failure_time < self.recovery_timeout:
                raise CircuitOpenError
            self.state = "half_open"
        try:
            result = function(*args, **kwargs)
        except Exception:
            self.failure_count += 1
            self.last_failure_time = time.monotonic()
            if self.failure_count >= self.failure_threshold:
                self.state = "open"
            raise
        self.failure_count = 0
        self.state = "closed"
        return result
