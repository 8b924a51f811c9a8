"""Commands: what people change about their own account; and a question about links."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import ClassVar

from apps.core.bus import Command, Query
from apps.users.links import Purpose


@dataclass(frozen=True)
class ChangePassword(Command[None]):
    """Give a user who knows their password a new one, and end every session of theirs but `session_id`.

    Not atomic as a whole: a wrong password counts like a failed log-in from `address`, and must be remembered. Refused
    with WrongPassword, with TooMany after too many of them, and with Invalid.
    """

    atomic: ClassVar[bool] = False
    user_id: int
    session_id: uuid.UUID | None
    address: str
    current: str = field(repr=False)
    new: str = field(repr=False)


@dataclass(frozen=True)
class RequestPasswordReset(Command[None]):
    """Send a link to whoever has this e-mail, if anybody does, and a few an hour at most; nothing tells which."""

    email: str


@dataclass(frozen=True)
class ConfirmPasswordReset(Command[None]):
    """Give the user of a link a new password, and end every session of theirs. Refused with DeadLink, or Invalid."""

    token: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class RequestVerification(Command[None]):
    """Send a link that verifies the address to a user, or to whoever has this e-mail; a few an hour at most.

    One of the two is given. Nothing tells whether anybody has the e-mail, or has verified it.
    """

    user_id: int | None = None
    email: str | None = None


@dataclass(frozen=True)
class VerifyEmail(Command[None]):
    """Do what a link to an address is for: the address is verified, or becomes its user's.

    Refused with DeadLink, and with EmailTaken if another user has got the address meanwhile.
    """

    token: str = field(repr=False)


@dataclass(frozen=True)
class RequestEmailChange(Command[None]):
    """Send a link to the address that a user who knows their password wants to have.

    Not atomic as a whole, and refused, as ChangePassword is; refused with TooMany also after a few mails an hour.
    """

    atomic: ClassVar[bool] = False
    user_id: int
    address: str
    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class UndoEmailChange(Command[None]):
    """Give a user the address back that a link was sent to; their password and every session end.

    Refused with DeadLink, and with EmailTaken if another user has shown meanwhile that the address is theirs.
    """

    token: str = field(repr=False)


@dataclass(frozen=True)
class PruneEmailChanges(Command[int]):
    """Delete the changes of addresses of which no link works any more; answers how many."""


@dataclass(frozen=True)
class CheckLink(Query[None]):
    """Whether a link still works, at this moment. Refused with DeadLink if not."""

    purpose: Purpose
    token: str = field(repr=False)
