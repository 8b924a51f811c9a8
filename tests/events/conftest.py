"""Fixtures of the tests of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from apps.core.bus import Command, bus
from apps.events.bus import EVENTS, Event, event
from apps.users.events import UserRegistered
from tests.events.steps import Check, Connect, Keep, Stepped, Turned, answered, connected, keep, record, sql


@pytest.fixture
def steps(transactional_db: None) -> Iterator[None]:
    """Events of steps, and a table for what receivers do about them."""
    event(Stepped)
    event(Turned)
    sql("CREATE TABLE effects (id bigserial, receiver text, who text, number int)")
    yield
    sql("DROP TABLE effects")
    del EVENTS[Stepped.type], EVENTS[Turned.type]


@pytest.fixture
def connect(steps: None) -> Iterator[Connect]:
    """Connects a receiver of steps and turns that does its work after `check`; returns the name on its deliveries."""
    with ExitStack() as afterwards:

        def connect(
            name: str, check: Check = lambda who, number: None, heard: type[Event] | None = Stepped, **how: Any
        ) -> str:
            def receive(told: Any) -> Keep | None:
                steps = told if how.get("many") else [told]
                for step in steps:
                    who, number = step.data["who"] if heard is None else step.who, step.number if heard else step.id
                    check(who, number)
                    if how.get("waits"):
                        return Keep(name, who, number)
                    keep(name, who, number)
                return None

            receive.__name__ = name
            return afterwards.enter_context(connected(receive, heard, **how))

        afterwards.enter_context(answered(Keep, record))
        yield connect


@dataclass(frozen=True)
class Greet(Command[None]):
    """Take note of new users."""

    user_ids: tuple[int, ...]


@pytest.fixture
def greeter() -> Iterator[str]:
    """Hears of new users, many at once, and does not wait; the name on its deliveries."""

    def greet(events: Sequence[UserRegistered]) -> None:
        bus.execute(Greet(tuple(event.user_id for event in events)))

    with answered(Greet, lambda command: None), connected(greet, UserRegistered, many=True) as name:
        yield name
