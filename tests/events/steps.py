"""Steps that people make, and receivers that write them down: for tests of the order in which events are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import connection, transaction

from apps.events.bus import Event, publish_all
from apps.events.models import Delivery
from apps.profiles.commands import RecordEnrichment

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


def record(command: RecordEnrichment) -> None:
    keep(command.person.company, command.person.display_name, command.user_id)


def step(who: str, numbers: Sequence[int], kind: type[Stepped] = Stepped) -> None:
    with transaction.atomic():
        publish_all([kind(who, number) for number in numbers])


def effects() -> list[int]:
    return [number for (number,) in sql("SELECT number FROM effects ORDER BY id")]


def outcomes() -> list[tuple[str, int]]:
    return list(Delivery.objects.order_by("id").values_list("state", "attempts"))
