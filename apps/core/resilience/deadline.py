"""A total deadline for a block of work; each step of it asks how much time is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_until: ContextVar[float | None] = ContextVar("deadline", default=None)


class DeadlineExceeded(TimeoutError):
    """The deadline of the block has passed."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give the block `seconds`, or less if an outer deadline comes first."""
    until = time.monotonic() + seconds
    outer = _until.get()
    token = _until.set(until if outer is None else min(until, outer))
    try:
        yield
    finally:
        _until.reset(token)


def remaining(timeout: float | None = None) -> float | None:
    """Seconds left for one step, at most `timeout`; None for no limit. Raises DeadlineExceeded if none are left."""
    until = _until.get()
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("the total deadline has passed")
    return left if timeout is None else min(timeout, left)
