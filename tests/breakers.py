"""Circuit breakers of tests."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

from django.conf import settings

from apps.core.resilience.breaker_state import ValkeyState
from apps.core.resilience.circuit_breaker import SharedCircuitBreaker
from apps.core.resilience.deadline import deadline
from apps.core.resilience.valkey import Valkey


def fresh_breaker(**more: Any) -> SharedCircuitBreaker:
    """A breaker of the test's own, its state in Valkey."""
    valkey = Valkey(settings.ENV.redis_url, timeout=1.0)
    return SharedCircuitBreaker(f"test-{uuid.uuid4().hex}", ValkeyState(valkey), time_limit=deadline, **more)


def fail() -> None:
    raise ConnectionError("dead")


def trip(breaker: SharedCircuitBreaker, times: int = 5) -> None:
    """Let calls fail until it opens."""
    for _ in range(times):
        with suppress(ConnectionError):
            breaker.call(fail)
