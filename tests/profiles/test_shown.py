"""The profile of a user as v2 shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.profiles.commands import CreateProfiles, Person, RecordEnrichment
from apps.users import reads
from apps.users.commands import UserSnapshot
from config.stack.people import PeopleDirectory

pytestmark = pytest.mark.django_db
ClientOf = Callable[[UserSnapshot | None], APIClient]


@pytest.fixture
def ada(register: Callable[..., UserSnapshot]) -> UserSnapshot:
    """A user."""
    return register()


@pytest.fixture
def as_ada(ada: UserSnapshot, client_of: ClientOf) -> APIClient:
    """A client logged in as Ada."""
    return client_of(ada)


def test_it_is_there_once_the_directory_has_answered(
    as_ada: APIClient, directory: PeopleDirectory, drain: Callable[[], int]
) -> None:
    old = as_ada.get("/api/v1/users/me").json()
    assert as_ada.get("/api/v2/users/me").json()["profile"] is None
    drain()
    profile = as_ada.get("/api/v2/users/me").json()["profile"]
    assert profile.keys() == {"display_name", "company", "avatar_url", "enriched_at"}
    assert (profile["display_name"], profile["company"]) == ("Ada", "Example")
    assert as_ada.get("/api/v1/users/me").json() == old


def test_a_v2_tag_changes_with_it(as_ada: APIClient, directory: object, drain: Callable[[], int]) -> None:
    tag = as_ada.get("/api/v2/users/me").headers["ETag"]
    drain()
    fresh = as_ada.get("/api/v2/users/me", headers={"If-None-Match": tag})
    assert (fresh.status_code, fresh.json()["profile"]["company"]) == (200, "Example")


def test_a_renamed_column_changes_nothing(ada: UserSnapshot, as_ada: APIClient, monkeypatch: Any) -> None:
    bus.execute(CreateProfiles((ada.id,)))
    bus.execute(RecordEnrichment(ada.id, Person("Ada Lovelace", "Analytical Engines", "")))
    before = as_ada.get("/api/v2/users/me").json()
    monkeypatch.setitem(reads.FIELDS, "profile_company", "profile__display_name")
    reads.one_user.cache_clear()
    after = as_ada.get("/api/v2/users/me").json()
    reads.one_user.cache_clear()
    assert before["profile"]["company"] == "Analytical Engines"
    assert after == before | {"profile": before["profile"] | {"company": "Ada Lovelace"}}
