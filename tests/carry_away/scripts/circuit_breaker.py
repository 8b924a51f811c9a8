"""Two breakers of one name share what they learn through Valkey; no HTTP client is needed for it."""

import os
import sys

sys.modules["httpx"] = sys.modules["httpcore"] = None  # type: ignore[assignment] # as if they were not installed

from apps.core.resilience.breaker_state import ValkeyState
from apps.core.resilience.circuit_breaker import CircuitOpen, SharedCircuitBreaker
from apps.core.resilience.valkey import Valkey

mine, theirs = (
    SharedCircuitBreaker("carried", ValkeyState(Valkey(os.environ["REDIS_URL"], timeout=5)), failure_threshold=1)
    for _ in range(2)
)


def fail() -> None:
    raise ConnectionError


mine.reset()
try:
    mine.call(fail)
except ConnectionError:
    pass
try:
    theirs.call(fail)
except CircuitOpen as error:
    assert 29 < error.retry_after <= 30
    mine.reset()
    print("used")
