"""Fixtures of the profiles' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings

from apps.profiles.known_people import KnownPeople
from config.stack.people import PeopleDirectory
from tests.profiles.known import known_at
from tests.users.conftest import as_zoe, zoe  # noqa: F401 - somebody who leaves


@pytest.fixture
def known(valkey: redis.Redis) -> KnownPeople:
    return known_at(settings.ENV.redis_url)


@pytest.fixture
def server() -> Iterator[PeopleDirectory]:
    with PeopleDirectory("test-key") as directory:
        yield directory
