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
class CheckLink(Query[None]):
    """Whether a link still works, at this moment. Refused with DeadLink if not."""

    purpose: Purpose
    token: str = field(repr=False)
