"""Fixtures of the tests of events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from apps.core.bus import bus
from apps.events.bus import EVENTS, RECEIVERS, Event, event, happened, on
from apps.profiles.commands import Person, RecordEnrichment
from tests.events.steps import Check, Connect, Stepped, Turned, keep, record, sql


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
            def receive(told: Any) -> RecordEnrichment | None:
                steps = told if how.get("many") else [told]
                for step in steps:
                    who, number = step.data["who"] if heard is None else step.who, step.number if heard else step.id
                    check(who, number)
                    if how.get("waits"):
                        return RecordEnrichment(number, Person(who, name, ""))
                    keep(name, who, number)
                return None

            receive.__name__ = name
            on(heard, **how)(receive)
            full = f"events.{name}"
            afterwards.callback(happened.disconnect, sender=heard, dispatch_uid=full)
            afterwards.callback(RECEIVERS.pop, full)
            return full

        afterwards.enter_context(bus.replaced(RecordEnrichment, record))
        yield connect
