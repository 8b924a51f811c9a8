"""API versioning: v1 clients that know their members and no others, beside v2 clients, behind one cache.

The cache is Django's own, which keeps an answer for all requests that are alike in what its `Vary` names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.test import Client, override_settings

from apps.core.bus import bus
from apps.users.commands import IssueToken, RegisterUser
from config.compare.outcome import Comparison, Figures, only_naive_has
from config.compare.world import fresh

KNOWN_IN_V1 = frozenset({"id", "email", "name", "is_active", "created_at"})
# the path, and the version that the header names, by the version that is asked for
WAYS: dict[str, list[tuple[str, str | None]]] = {
    "v2": [("/api/v2/users", None), ("/api/users", "v2")],
    "v1": [("/api/v1/users", None), ("/api/users", "v1"), ("/api/users", None)],
}
CACHE = ["django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.FetchFromCacheMiddleware"]
MEMORY = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def naive() -> Figures:
    """The naive routes; their answers name the version in the body."""
    with override_settings(ROOT_URLCONF="config.compare.naive.api_versioning", MIDDLEWARE=CACHE, CACHES=MEMORY):
        return _ask(lambda answer: str(answer.json()["api_version"]), KNOWN_IN_V1 | {"api_version"})


def ours() -> Figures:
    """The service's routes; their answers name the version in a header."""
    with override_settings(MIDDLEWARE=[CACHE[0], *settings.MIDDLEWARE, CACHE[1]], CACHES=MEMORY):
        return _ask(lambda answer: str(answer.headers["X-API-Version"]), KNOWN_IN_V1)


def _ask(version_of: Callable[[Any], str], known: frozenset[str]) -> Figures:
    fresh()
    ada = bus.execute(RegisterUser("ada@example.com", "Ada"))
    client = Client(headers={"Authorization": f"Bearer {bus.execute(IssueToken(ada.email))}"})

    def get(path: str, version: str | None) -> Any:
        return client.get(f"{path}/{ada.id}", headers={"X-API-Version": version} if version else {})

    answers = [(asked, get(*way)) for asked, ways in WAYS.items() for way in ways]
    of_v1 = [answer for asked, answer in answers if asked == "v1"]
    of_v2 = [answer for asked, answer in answers if asked == "v2"]
    return {
        "answers_to_v1_clients": len(of_v1),
        "v1_clients_broken": sum(not answer.json().keys() <= known for answer in of_v1),
        "answers_in_another_version_than_asked_for": sum(version_of(answer) != asked for asked, answer in answers),
        "answers_to_v2_clients_with_the_new_field": sum("updated_at" in answer.json() for answer in of_v2),
        "unknown_versions_answered": sum(get("/api/users", unknown).status_code == 200 for unknown in ("v9", "2")),
    }


BROKEN = only_naive_has("v1_clients_broken", "answers_in_another_version_than_asked_for", "unknown_versions_answered")
COMPARISON = Comparison(
    promise="What came with v2 reaches no v1 client, not even through a cache, and an unknown version is an error.",
    headline="v1_clients_broken",
    naive=naive,
    ours=ours,
    kept=lambda naive, ours: (
        BROKEN(naive, ours) and ours["answers_to_v2_clients_with_the_new_field"] == len(WAYS["v2"])
    ),
)
