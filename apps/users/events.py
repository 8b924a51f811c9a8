"""Events of users."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, ClassVar

from apps.events.bus import INTERNAL, Event, event
from apps.users.mailboxes import one_spelling

UserId = Annotated[int, {"description": "The user's id.", "format": "int64", "examples": [7]}]
Email = Annotated[
    str,
    {
        "description": "The user's e-mail address; a pseudonym once they are erased.",
        "format": "email",
        "examples": ["ada@example.com"],
    },
]
Name = Annotated[
    str, {"description": "The user's name; their number once they are erased.", "examples": ["Ada Lovelace"]}
]


@dataclass(frozen=True)
class UserEvent(Event):
    """An event about one user."""

    personal: ClassVar[tuple[str, ...]] = ("email", "name")
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


# What follows is for this service's own mails. No token, password or secret is ever in an event: whoever sends the mail
# makes the token.


@event
@dataclass(frozen=True)
class PasswordChanged(UserEvent):
    """A user has another password; the mail goes to the address of that moment."""

    type: ClassVar[str] = f"{INTERNAL}password_changed"
    version: int


@event
@dataclass(frozen=True)
class SecondFactorChanged(UserEvent):
    """A user has a second factor now, or has none any more; each change is of another generation."""

    type: ClassVar[str] = f"{INTERNAL}second_factor_changed"
    in_force: bool
    generation: int


@dataclass(frozen=True)
class AddressEvent(Event):
    """An event about an address of which nobody has looked yet whose it is."""

    personal: ClassVar[tuple[str, ...]] = ("email",)
    email: str

    @property
    def aggregate(self) -> str:
        return about_address(self.email)


@event
@dataclass(frozen=True)
class PasswordResetRequested(AddressEvent):
    """Somebody asked to reset the password of whoever has this e-mail, if anybody does."""

    type: ClassVar[str] = f"{INTERNAL}password_reset_requested"


@event
@dataclass(frozen=True)
class VerificationRequested(AddressEvent):
    """Somebody asked for another link that verifies this address."""

    type: ClassVar[str] = f"{INTERNAL}email_verification_requested"


@dataclass(frozen=True)
class ChangeEvent(Event):
    """An event about a change of a user's address; the addresses stand in its row, which goes with the user."""

    user_id: int
    change_id: int

    @property
    def aggregate(self) -> str:
        return f"user:{self.user_id}"


@event
@dataclass(frozen=True)
class EmailChangeRequested(ChangeEvent):
    """A user wants to have another address."""

    type: ClassVar[str] = f"{INTERNAL}email_change_requested"


@event
@dataclass(frozen=True)
class EmailChanged(ChangeEvent):
    """A user has another address."""

    type: ClassVar[str] = f"{INTERNAL}email_changed"


@event
@dataclass(frozen=True)
class EmailChangeUndone(ChangeEvent):
    """A user has their earlier address again, and no password."""

    type: ClassVar[str] = f"{INTERNAL}email_change_undone"


def about_address(email: str) -> str:
    """The aggregate of events about an address of which nobody has looked yet whose it is."""
    return f"address:{hashlib.sha256(one_spelling(email).lower().encode()).hexdigest()}"
