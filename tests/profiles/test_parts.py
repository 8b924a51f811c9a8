"""Profiles get their parts from `config/wiring/profiles.py`, or from a test."""

from __future__ import annotations

import dataclasses

from django.conf import settings

from apps.core.bus import Bus
from apps.core.resilience.breakers import GetBreakers
from apps.profiles.commands import LookUpPerson, Person
from config.container import Container
from config.wiring.profiles import ProfileParts

ADA = LookUpPerson("ada@example.com")


class FakePeople:
    """A directory that knows one person and remembers who was looked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find(self, address: str) -> Person | None:
        self.asked.append(address)
        return Person("Ada Lovelace", "Analytical Engines", "")


def test_a_fake_directory_is_in_place_of_the_real_one_on_its_own_bus_alone() -> None:
    people, nobody, first, second = FakePeople(), FakePeople(), Bus(), Bus()
    ProfileParts(Container(settings.ENV), people=people).wire(first)
    ProfileParts(Container(settings.ENV), people=nobody).wire(second)
    found = first.execute(ADA)
    assert found is not None
    assert found.company == "Analytical Engines"
    assert (people.asked, nobody.asked) == ([ADA.email], [])


def test_nothing_is_connected_to_before_it_is_needed() -> None:
    nowhere = dataclasses.replace(settings.ENV, external_api_url="http://127.0.0.1:1")
    other = Bus()
    ProfileParts(Container(nowhere)).wire(other)
    assert "LookUpPerson" in other.registered()


def test_without_a_directory_configured_nobody_is_found() -> None:
    other = Bus()
    ProfileParts(Container(dataclasses.replace(settings.ENV, external_api_url=""))).wire(other)
    assert other.execute(ADA) is None


def test_its_breaker_is_there_before_the_first_question() -> None:
    other = Bus()
    Container(settings.ENV).wire(other)
    assert other.ask(GetBreakers()) == {"people": "closed"}
