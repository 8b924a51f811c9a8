"""Dependency injection, naive: each module imports, builds and configures what it needs, where it needs it."""

from __future__ import annotations

from typing import Any

import httpx
from django.conf import settings

from config.compare.naive.circuit_breaker import CircuitBreaker
from config.compare.naive.retry import retry_with_backoff

breaker = CircuitBreaker(failure_threshold=3)


def get_client() -> httpx.Client:
    env = settings.ENV
    headers = {"Authorization": f"Bearer {env.external_api_key}"}
    return httpx.Client(base_url=env.external_api_url, headers=headers, timeout=env.breaker_call_timeout)


@retry_with_backoff(max_retries=3, base_delay=1.0)
def find_person(email: str) -> Any:
    """The person with this e-mail in the people directory; None if there is none."""
    answer = breaker.call(get_client().get, "/people", params={"email": email})
    return None if answer.status_code == 404 else answer.json()
