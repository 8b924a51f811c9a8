"""Commands about the second factor: enrol, confirm, remove."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from apps.core.bus import Command, Query
from apps.users.commands import Login


@dataclass(frozen=True)
class NewTotp:
    """What an authenticator app is given: the secret (base32) and the otpauth address; `sealed` is it encrypted."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    sealed: str = field(repr=False)


@dataclass(frozen=True)
class BeginTotp(Command[NewTotp]):
    """Draw a secret for a user; it counts once it is confirmed. Refused with NotFound, TotpEnabled."""

    user_id: int


@dataclass(frozen=True)
class ShowTotp(Query[NewTotp]):
    """What BeginTotp answered before, from `sealed`. Refused with NotFound, TotpNotBegun (no key opens it)."""

    user_id: int
    sealed: str = field(repr=False)


@dataclass(frozen=True)
class ConfirmTotp(Command[tuple[str, ...]]):
    """Put the drawn secret into force, by a code that was made with it; answers recovery codes, shown this once.

    The secret is `sealed`, if given, else the last that BeginTotp has drawn. Every session ends but `session_id`; with
    `login` it is refused if that no longer holds. The attempt counts against the limit of logins, so it is not atomic.
    Refused with NotFound, TotpEnabled, TotpNotBegun, WrongCode, WrongCredentials, TooMany.
    """

    atomic: ClassVar[bool] = False
    user_id: int
    code: str = field(repr=False)
    address: str
    session_id: UUID | None = None
    sealed: str = field(default="", repr=False)
    login: Login | None = None


@dataclass(frozen=True)
class RemoveTotp(Command[None]):
    """Remove a user's second factor, by one of its codes or a recovery code; every session ends but `session_id`.

    That one ends, too, if the user may not be without. Not atomic, as ConfirmTotp. Refused with NotFound,
    TotpNotEnabled, WrongCode, TooMany.
    """

    atomic: ClassVar[bool] = False
    user_id: int
    code: str = field(repr=False)
    address: str
    session_id: UUID | None = None


@dataclass(frozen=True)
class ResetTotp(Command[None]):
    """Remove a user's second factor without a code, for somebody who lost it; all their sessions end.

    Refused with NotFound, TotpNotEnabled.
    """

    user_id: int


@dataclass(frozen=True)
class CheckLogin(Command[Login]):
    """Like CheckCredentials, for a log-in: the second factor is asked for as well.

    Refused with OtpRequired, WrongOtp too, and with OtpEnrolmentRequired, which says whose credentials these are.
    """

    atomic: ClassVar[bool] = False
    email: str
    address: str
    password: str = field(repr=False)
    otp: str = field(default="", repr=False)
