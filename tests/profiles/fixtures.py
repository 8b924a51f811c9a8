"""A people directory, for every test that looks people up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from apps.core.bus import bus
from apps.core.resilience.retry import Retry
from apps.profiles.commands import LookUpPerson
from apps.profiles.known_people import KnownPeople
from apps.profiles.people import PeopleClient
from apps.profiles.repositories import SqlProfiles
from apps.profiles.services import ProfileService
from config.container import Container
from config.stack.people import PeopleDirectory
from config.wiring.profiles import ProfileParts
from tests.breakers import fresh_breaker


@pytest.fixture
def directory() -> Iterator[PeopleDirectory]:
    """A real people directory on loopback, behind the service's own client; the client's retries do not wait."""
    with PeopleDirectory("test-key") as server:
        retry = Retry(sleep=lambda seconds: None)
        client = PeopleClient(server.url, "test-key", fresh_breaker(), retry)
        with bus.replaced(LookUpPerson, ProfileService(SqlProfiles(), client).look_up):
            yield server
        client.close()


def known_people() -> KnownPeople:
    """What the service knows of the directory's answers."""
    return ProfileParts(Container(settings.ENV)).known_people
