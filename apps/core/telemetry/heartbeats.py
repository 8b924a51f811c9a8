"""Where a worker says that it takes from a queue: a key in Valkey for each queue, which outlives it by seconds.

Free of Django, so that a supervisor can look before there are settings.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import redis

# a worker reports every two seconds: one that is gone is missed after this
WORKER_SECONDS = 10


def report(valkey: redis.Redis, prefix: str, queues: Iterable[str]) -> None:
    """Say that a worker takes from `queues` now, under keys that begin with `prefix`. Raises redis.RedisError."""
    for queue in queues:
        valkey.set(_key(prefix, queue), int(time.time()), ex=WORKER_SECONDS)


def withdraw(valkey: redis.Redis, prefix: str, queues: Iterable[str]) -> None:
    """Say that nobody takes from `queues` any more. Raises redis.RedisError."""
    valkey.delete(*(_key(prefix, queue) for queue in queues))


def served(valkey: redis.Redis, prefix: str, queues: Iterable[str], *, since: float = 0.0) -> dict[str, bool]:
    """Each of `queues`, and whether a worker has said lately, and after `since` (Unix time), that it takes from it.

    Raises redis.RedisError.
    """
    names = list(queues)
    seen = valkey.mget([_key(prefix, name) for name in names])
    return {name: moment is not None and int(moment) >= since for name, moment in zip(names, seen, strict=True)}


def _key(prefix: str, queue: str) -> str:
    return f"{prefix}worker:{queue}"
