"""Dependency injection, naive: each module imports, builds and configures what it needs, where it needs it."""

from __future__ import annotations

from typing import Any

import httpx

from config.compare.naive.circuit_breaker import CircuitBreaker
from config.compare.naive.retry import retry_with_backoff

URL, KEY = "http://127.0.0.1:9", "a key"
breaker = CircuitBreaker(failure_threshold=3)


def get_client() -> httpx.Client:
    return httpx.Client(base_url=URL, headers={"Authorization": f"Bearer {KEY}"}, timeout=5.0)


@retry_with_backoff(max_retries=3, base_delay=1.0)
def find_person(email: str) -> Any:
    """The person with this e-mail in the people directory; None if there is none."""
    answer = breaker.call(get_client().get, "/people", params={"email": email})
    return None if answer.status_code == 404 else answer.json()
