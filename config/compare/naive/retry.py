"""Retry, naive: exponential backoff after any error."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def retry_with_backoff(
    max_retries: int = 3, base_delay: float = 1.0, max_delay: float = 60.0, exponential_base: float = 2.0
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Call a function up to `max_retries` times."""

    def decorator(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            retries = 0
            while True:
                try:
                    return function(*args, **kwargs)
                except Exception:
                    retries += 1
                    if retries >= max_retries:
                        raise
                    time.sleep(min(base_delay * exponential_base ** (retries - 1), max_delay))

        return wrapper

    return decorator
