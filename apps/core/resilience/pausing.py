"""Django's cache with a bounded wait: a Valkey that is away or frozen costs one time-out a second, not one a question.

Named in CACHES, as the classes that django-redis makes its client of. IGNORE_EXCEPTIONS turns what they raise into a
miss. Source: https://github.com/jazzband/django-redis, "Pluggable clients".
"""

from __future__ import annotations

import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

PAUSE_SECONDS = 1.0


class PausingPool(redis.ConnectionPool):
    """Connections that try once, and the time until which nobody is to ask."""

    def __init__(self, **options: Any) -> None:
        """`options` are redis-py's, such as `socket_timeout`."""
        # a kept connection fails once after the server was restarted; a time-out is not waited for twice
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        super().__init__(retry=retry, maint_notifications_config=MaintNotificationsConfig(enabled=False), **options)
        self.away_until = 0.0


class PausingRedis(redis.Redis):
    """A client that asks nothing for a second after the server did not answer; it needs a PausingPool."""

    def execute_command(self, *words: Any, **options: Any) -> Any:
        """As redis-py's. Raises redis.ConnectionError without asking during the pause."""
        pool: Any = self.connection_pool
        if time.monotonic() < pool.away_until:
            raise redis.ConnectionError("asked less than a second ago")
        try:
            return super().execute_command(*words, **options)  # type: ignore[no-untyped-call]
        except (redis.ConnectionError, redis.TimeoutError):
            pool.away_until = time.monotonic() + PAUSE_SECONDS
            raise
