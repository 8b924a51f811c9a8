"""Events of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from apps.events.bus import Event, event


@dataclass(frozen=True)
class UserEvent(Event):
    """An event about one user."""

    user_id: int
    email: str
    name: str

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
    is_active: bool = True
    version: int = 1


@event
@dataclass(frozen=True)
class UserDeleted(UserEvent):
    """A user was deleted."""

    type: ClassVar[str] = "user.deleted"
