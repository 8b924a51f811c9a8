"""Commands: what can be changed about users, and what each change answers with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from apps.core.bus import Command


@dataclass(frozen=True)
class UserSnapshot:
    """A user as a use case leaves it: no password, no model, nothing to query further."""

    id: int
    email: str
    name: str
    is_active: bool
    is_staff: bool
    created_at: datetime
    updated_at: datetime
    version: int
    email_verified_at: datetime | None = None


@dataclass(frozen=True)
class RegisterUser(Command[UserSnapshot]):
    """Make a user. Refused with EmailTaken, or Invalid for an e-mail, name or password that the rules refuse."""

    email: str
    name: str
    password: str | None = field(default=None, repr=False)
    is_staff: bool = False
    # whoever makes the user answers for the address
    verified: bool = False


@dataclass(frozen=True)
class ImportUsers(Command[set[str]]):
    """Make many users without passwords, from checked (e-mail, name) pairs; answers the e-mails made, in lower case.

    A pair whose e-mail is taken, before or within the pairs, is skipped. Refused with NotKept.
    """

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class UpdateUser(Command[UserSnapshot]):
    """Change a user's name or activity; None leaves a value as it is.

    Refused with VersionConflict if the user's version is no longer `expected_version`, with NotFound, with Invalid, and
    with LastStaff for the deactivation of the last active staff.
    """

    user_id: int
    name: str | None = None
    is_active: bool | None = None
    expected_version: int | None = None


@dataclass(frozen=True)
class DeleteUser(Command[None]):
    """Delete a user. Refused with NotFound, LastStaff (the last active staff), VersionConflict (`expected_version`)."""

    user_id: int
    expected_version: int | None = None


@dataclass(frozen=True)
class Leave(Command[None]):
    """Delete the user who proves to be themselves by their password, and `otp`, a code of their second factor, if any.

    Not atomic as a whole: a wrong password counts like a failed log-in from `address`, and must be remembered. Refused
    with WrongPassword, OtpRequired, WrongCode, TooMany, LastStaff, VersionConflict (`expected_version`), and NotFound,
    and like a log-in with EmailUnverified and OtpEnrolmentRequired.
    """

    atomic: ClassVar[bool] = False
    user_id: int
    address: str
    password: str = field(repr=False)
    otp: str = field(default="", repr=False)
    expected_version: int | None = None


@dataclass(frozen=True)
class EraseNext(Command[bool]):
    """Go on with erasing a deleted user wherever something is kept about them; False if there is nobody to erase now.

    Its steps have transactions of their own.
    """

    atomic: ClassVar[bool] = False


@dataclass(frozen=True)
class SetPassword(Command[None]):
    """Give a user a new password and end their sessions. Refused with NotFound, or Invalid."""

    user_id: int
    password: str = field(repr=False)


@dataclass(frozen=True)
class TokenPair:
    """What a login of `user_id` gives: an access token, a refresh token, and the access token's life in seconds."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_in: int
    user_id: int


@dataclass(frozen=True)
class Login:
    """A user whose password was checked: their id, the hash that it matched, and their generation at that time."""

    user_id: int
    password: str = field(repr=False)
    generation: int


@dataclass(frozen=True)
class Device:
    """What a session's owner can recognise it by: the client's network ("203.0.113.0/24") and how it calls itself."""

    network: str = ""
    user_agent: str = ""


@dataclass(frozen=True)
class CheckCredentials(Command[Login]):
    """Find the active user with this e-mail and password; the attempt counts against the limit of logins.

    For somebody who is logged in and proves once more that it is them: a log-in takes CheckLogin.

    Not atomic as a whole: a failed attempt must be remembered, though the login itself is refused. Refused with
    WrongCredentials, or TooMany after too many failures.
    """

    atomic: ClassVar[bool] = False
    email: str
    address: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class ConfirmLogin(Command[None]):
    """Lock the user of a login until the transaction ends; send it in the transaction that uses the login.

    Refused with WrongCredentials if the user is gone, inactive, has another password or was logged out by now.
    """

    login: Login


@dataclass(frozen=True)
class LogIn(Command[TokenPair]):
    """Open a session; not atomic, and refused, as CheckLogin is. `otp` is a code of the second factor, if any."""

    atomic: ClassVar[bool] = False
    email: str
    address: str
    password: str = field(repr=False)
    device: Device = Device()
    otp: str = field(default="", repr=False)


@dataclass(frozen=True)
class RefreshSession(Command[TokenPair]):
    """Trade a refresh token for a new pair. A token used before ends its session; refused with InvalidToken."""

    atomic: ClassVar[bool] = False
    refresh: str = field(repr=False)
    device: Device = Device()


@dataclass(frozen=True)
class EndSession(Command[None]):
    """End one session of a user, with all its tokens. Refused with NotFound, if it has ended too."""

    user_id: int
    session_id: UUID


@dataclass(frozen=True)
class EndSessions(Command[None]):
    """End every session of a user `but` one, those in the admin too; nothing if the user is gone."""

    user_id: int
    but: UUID | None = None


@dataclass(frozen=True)
class IssueToken(Command[str]):
    """Make an access token for the active user with this e-mail, without a password. Refused with NotFound."""

    email: str


@dataclass(frozen=True)
class PruneSessions(Command[int]):
    """Delete expired sessions with their tokens, and old login counters; answers how many sessions."""
