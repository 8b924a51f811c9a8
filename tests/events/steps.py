"""Steps that people make, and receivers that write them down: for tests of the order in which events are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import connection, transaction

from apps.core.bus import Command, bus
from apps.events.bus import RECEIVERS, Event, happened, on, publish_all
from apps.events.models import Delivery

Connect = Callable[..., str]
Check = Callable[[str, int], None]


@dataclass(frozen=True)
class Stepped(Event):
    """Somebody made a step."""

    type: ClassVar[str] = "test.stepped"
    who: str
    number: int

    @property
    def aggregate(self) -> str:
        return self.who


@dataclass(frozen=True)
class Turned(Stepped):
    """Somebody turned round."""

    type: ClassVar[str] = "test.turned"


def sql(statement: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def keep(receiver: str, who: str, number: int) -> None:
    sql("INSERT INTO effects (receiver, who, number) VALUES (%s, %s, %s)", receiver, who, number)


@dataclass(frozen=True)
class Keep(Command[None]):
    """Keep what a receiver did, as the answer of one that waits."""

    receiver: str
    who: str
    number: int


def record(command: Keep) -> None:
    keep(command.receiver, command.who, command.number)


@contextmanager
def answered(message: type[Command[Any]], handler: Callable[[Any], Any]) -> Iterator[None]:
    """Let `handler` answer a message of the test's own."""
    bus.register(message, handler)
    try:
        yield
    finally:
        del bus._handlers[message]


@contextmanager
def connected(receive: Callable[..., Any], heard: type[Event] | None, **how: Any) -> Iterator[str]:
    """Let `receive` hear these events; the name on its deliveries."""
    on(heard, **how)(receive)
    name = f"events.{receive.__name__}"
    try:
        yield name
    finally:
        happened.disconnect(sender=heard, dispatch_uid=name)
        del RECEIVERS[name]


def step(who: str, numbers: Sequence[int], kind: type[Stepped] = Stepped) -> None:
    with transaction.atomic():
        publish_all([kind(who, number) for number in numbers])


def effects() -> list[int]:
    return [number for (number,) in sql("SELECT number FROM effects ORDER BY id")]


def outcomes() -> list[tuple[str, int]]:
    return list(Delivery.objects.order_by("id").values_list("state", "attempts"))
