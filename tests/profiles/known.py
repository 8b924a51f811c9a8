"""What is kept of a people directory's answers, and who asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import redis
from django.conf import settings
from django.core.cache.backends.base import BaseCache
from django.utils.module_loading import import_string
from prometheus_client import REGISTRY

from apps.core.resilience.circuit_breaker import SharedCircuitBreaker
from apps.core.resilience.retry import Retry
from apps.profiles.cached_people import CachedPeople
from apps.profiles.commands import Person
from apps.profiles.known_people import KnownPeople
from apps.profiles.people import PeopleClient
from config.stack.people import PeopleDirectory
from tests.breakers import fresh_breaker

ADA, TTL, KEY = "ada@engines.example", 600, "k" * 40


def cache_at(url: str) -> BaseCache:
    """Django's cache as the settings describe it, on another server."""
    options = dict(settings.CACHES["default"])
    cache: BaseCache = import_string(options.pop("BACKEND"))(url, options)
    return cache


def known_at(url: str, *secrets: str, lease: float = 30) -> KnownPeople:
    return KnownPeople(cache_at(url), secrets or (KEY,), TTL, lease)


@contextmanager
def asking(
    server: PeopleDirectory, known: KnownPeople, breaker: SharedCircuitBreaker | None = None, patience: float = 10
) -> Iterator[CachedPeople]:
    """The cache before the service's own client."""
    retry = Retry(max_attempts=1)
    with closing(PeopleClient(server.url, "test-key", breaker or fresh_breaker(), retry)) as client:
        yield CachedPeople(client, known, patience=patience)


def lookups(answered_by: str) -> float:
    return REGISTRY.get_sample_value("people_lookups_total", {"answered_by": answered_by}) or 0.0


def keys(valkey: redis.Redis, kind: str) -> list[bytes]:
    return sorted(valkey.scan_iter(f"*people:*:{kind}"))


def make_old(valkey: redis.Redis) -> None:
    """End the freshness of all that is kept, as time would."""
    valkey.delete(*keys(valkey, "fresh"))


def name(person: Person | None) -> str:
    return person.display_name if person else ""
