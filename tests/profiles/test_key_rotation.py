"""A SECRET_KEY is replaced, and what is cached about a person can still be forgotten."""

from __future__ import annotations

import pytest

from apps.core.bus import bus
from apps.profiles.commands import ForgetPerson, Person
from tests.core.keys import LOST, NEW, OLD, with_keys
from tests.profiles.fixtures import known_people

ADA = "ada@example.com"


@pytest.fixture
def cached() -> None:
    """An answer about Ada, kept under the old key."""
    known = known_people()
    known.keep(ADA, Person("Ada", "", ""), known.claim(ADA) or "")


@pytest.mark.usefixtures("cached")
def test_it_is_forgotten_while_the_old_key_is_a_fallback() -> None:
    with with_keys(NEW, LOST, OLD):
        assert bus.execute(ForgetPerson(ADA))


@pytest.mark.usefixtures("cached")
def test_without_it_it_is_not_found() -> None:
    with with_keys(NEW):
        assert not bus.execute(ForgetPerson(ADA))
