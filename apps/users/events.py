"""Events of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from apps.events.bus import Event, event

UserId = Annotated[int, {"description": "The user's id.", "format": "int64", "examples": [7]}]
Email = Annotated[
    str, {"description": "The user's e-mail address.", "format": "email", "examples": ["ada@example.com"]}
]
Name = Annotated[str, {"description": "The user's name.", "examples": ["Ada Lovelace"]}]


@dataclass(frozen=True)
class UserEvent(Event):
    """An event about one user."""

    user_id: UserId
    email: Email
    name: Name

    @property
    def aggregate(self) -> str:
        return f"user:{self.user_id}"


@event
@dataclass(frozen=True)
class UserRegistered(UserEvent):
    """A user was made."""

    type: ClassVar[str] = "user.created"


@event
@dataclass(frozen=True)
class UserUpdated(UserEvent):
    """A user's name or activity changed."""

    type: ClassVar[str] = "user.updated"
    is_active: Annotated[bool, {"description": "Whether the user may log in.", "examples": [True]}] = True
    version: Annotated[int, {"description": "Grows with each change of the user.", "minimum": 1, "examples": [2]}] = 1


@event
@dataclass(frozen=True)
class UserDeleted(UserEvent):
    """A user was deleted."""

    type: ClassVar[str] = "user.deleted"
