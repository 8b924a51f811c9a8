"""What can be done with things, and how it can be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.core.bus import Command
from apps.core.errors import Conflict

Row = dict[str, Any]


class NameTaken(Conflict):
    """Another thing has this name."""

    code = "name_taken"

    def __init__(self) -> None:
        super().__init__("There is a thing of this name.")


@dataclass(frozen=True)
class MakeThing(Command[Row]):
    """Make a thing. Refused with NameTaken."""

    name: str
    note: str = ""
    is_done: bool = False


@dataclass(frozen=True)
class ChangeThing(Command[Row]):
    """Change what is given. Refused with NotFound, NameTaken, VersionConflict."""

    thing_id: int
    changes: Row
    expected_version: int | None = None


@dataclass(frozen=True)
class DeleteThing(Command[None]):
    """Delete a thing. Refused with NotFound, VersionConflict."""

    thing_id: int
    expected_version: int | None = None
