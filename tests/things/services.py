"""The use cases of things, and what answers their messages."""

from __future__ import annotations

from typing import ClassVar

from apps.core.bus import Bus
from apps.core.repository import DjangoRepository, check_version
from tests.things.commands import ChangeThing, DeleteThing, MakeThing, NameTaken, Row
from tests.things.models import Thing
from tests.things.queries import COLUMNS, GetThing, ListThings, get_thing, list_things

SECRETS = "secrets of things"


class Things(DjangoRepository[Thing]):
    """Things in PostgreSQL."""

    model = Thing
    conflicts: ClassVar = {"things_unique_name": NameTaken}


class ThingService:
    """Handlers of the commands of things."""

    def __init__(self, things: Things) -> None:
        self._things = things

    def make(self, command: MakeThing) -> Row:
        """Insert the thing."""
        return shown(self._things.create(Thing(name=command.name, note=command.note, is_done=command.is_done)))

    def change(self, command: ChangeThing) -> Row:
        """Write what is given."""
        row = self._locked(command)
        return shown(self._things.update(row, **command.changes))

    def delete(self, command: DeleteThing) -> None:
        """Delete the thing."""
        self._things.delete(self._locked(command))

    def _locked(self, command: ChangeThing | DeleteThing) -> Thing:
        row = self._things.lock(command.thing_id)
        check_version(row, command.expected_version)
        return row


def shown(thing: Thing) -> Row:
    """`thing` as a row of the queries."""
    return {name: getattr(thing, name) for name in COLUMNS}


def wired() -> Bus:
    """A bus with the handlers, which `config/wiring` registers for the apps of the service."""
    made, service = Bus(), ThingService(Things())
    made.register(MakeThing, service.make)
    made.register(ChangeThing, service.change)
    made.register(DeleteThing, service.delete)
    made.register(GetThing, get_thing)
    made.register(ListThings, list_things)
    return made


# of their own: that of the service has the service's messages alone
bus = wired()
