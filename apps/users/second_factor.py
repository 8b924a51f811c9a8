"""The service of the second factor: who has one, what a code of it is good for, and that it is good for it once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

import structlog

from apps.core.bus import unit_of_work
from apps.core.crypto import Box, Unreadable
from apps.core.errors import NotFound
from apps.events.bus import publish
from apps.users import totp
from apps.users.errors import (
    TotpEnabled,
    TotpNotBegun,
    TotpNotEnabled,
    WrongCode,
    WrongCredentials,
)
from apps.users.events import SecondFactorChanged
from apps.users.factor_commands import BeginTotp, ConfirmTotp, NewTotp, RemoveTotp, ResetTotp, ShowTotp
from apps.users.factor_repositories import DjangoFactors
from apps.users.login_limit import LoginLimit, digest
from apps.users.models import User
from apps.users.session_repositories import DjangoSessions

log = structlog.get_logger("second_factor")
# in a row, and then no code counts any more (NIST SP 800-63B, section 5.2.2): a minute's limit alone would let somebody
# who knows the password guess for weeks
MOST_MISSES = 100
LOCKED = "There were too many wrong codes in a row: only a recovery code will do now."


class SecondFactors:
    """Handlers of the commands about the second factor, and the check of a log-in's code.

    `issuer` is what an app shows beside the codes; with `staff_required` staff cannot log in without a second factor.
    """

    def __init__(
        self,
        factors: DjangoFactors,
        sessions: DjangoSessions,
        limit: LoginLimit,
        box: Box,
        *,
        issuer: str,
        staff_required: bool,
    ) -> None:
        self._factors = factors
        self._sessions = sessions
        self._limit = limit
        self._box = box
        self._issuer = issuer
        self._staff_required = staff_required

    def begin(self, command: BeginTotp) -> NewTotp:
        """Draw a secret, another one each time: whoever saw an earlier one must not know the one that is confirmed."""
        user = self._locked(command.user_id)
        if user.has_second_factor:
            raise TotpEnabled
        sealed = self._box.close(totp.new_secret())
        self._factors.draw(user.id, sealed)
        return self._new(user, sealed)

    def show(self, query: ShowTotp) -> NewTotp:
        """What was begun."""
        return self._new(self._person(query.user_id), query.sealed)

    def confirm(self, command: ConfirmTotp) -> tuple[str, ...]:
        """Put the secret into force."""
        with self._attempt(command.user_id, command.address):
            user = self._locked(command.user_id)
            if command.login and not self._sessions.hold_login(command.login):
                raise WrongCredentials
            if user.has_second_factor:
                raise TotpEnabled
            found = self._factors.find(user.id)
            if found is None:
                raise TotpNotBegun
            factor, now = found
            sealed = command.sealed or factor.secret
            step = totp.step_of(self._opened(sealed), totp.as_typed(command.code), now.timestamp())
            if step is None:
                raise WrongCode
            codes = totp.recovery_codes()
            self._factors.confirm(user.id, sealed, step, [digest(totp.as_typed(code)) for code in codes])
            # they were opened without a second factor
            self._sessions.end_all(user.id, command.session_id)
            _tell(user, in_force=True)
        log.info("second_factor_enrolled", user_id=user.id)
        return tuple(codes)

    def remove(self, command: RemoveTotp) -> None:
        """Remove the second factor by a code."""
        with self._attempt(command.user_id, command.address):
            user = self._locked(command.user_id)
            self.spend(user.id, command.code)
            self._delete(user, None if self.is_missing(user.is_staff, has_one=False) else command.session_id)

    def reset(self, command: ResetTotp) -> None:
        """Remove the second factor without a code."""
        self._delete(self._locked(command.user_id), None)

    def remove_since(self, user: User, moment: datetime) -> None:
        """Remove the second factor of a locked user if it came into force after `moment`; end no session."""
        if self._factors.delete(user.id, since=moment):
            log.info("second_factor_removed", user_id=user.id)

    def spend(self, user_id: int, code: str) -> None:
        """Use up a code, or a recovery code, of a locked user. Raises WrongCode, TotpNotEnabled."""
        found = self._factors.find(user_id)
        if found is None or found[0].confirmed_at is None:
            raise TotpNotEnabled
        factor, now = found
        typed = totp.as_typed(code)
        if totp.CODE.fullmatch(typed):
            if factor.misses >= MOST_MISSES:
                log.warning("second_factor_locked", user_id=user_id)
                raise WrongCode(LOCKED)
            used = self._use(user_id, factor.secret, typed, now.timestamp())
        else:
            used = self._factors.use_recovery_code(user_id, digest(typed))
        if not used:
            log.info("second_factor_refused", user_id=user_id)
            raise WrongCode

    @contextmanager
    def counted(self, user_id: int) -> Iterator[None]:
        """Count a wrong code that the block is refused for; around the unit of work, which keeps nothing then."""
        try:
            yield
        except WrongCode:
            self._factors.count_miss(user_id)
            raise

    def is_missing(self, is_staff: bool, *, has_one: bool) -> bool:
        """Whether such a user needs a second factor and has none."""
        return is_staff and self._staff_required and not has_one

    def _use(self, user_id: int, sealed: str, code: str, now: float) -> bool:
        try:
            step = totp.step_of(self._box.open(sealed), code, now)
            # what an earlier SECRET_KEY closed is closed anew
            renewed = self._box.renew(sealed) or sealed
        except Unreadable:
            log.warning("second_factor_unreadable", user_id=user_id)
            return False
        return step is not None and self._factors.use_step(user_id, step, renewed)

    def _delete(self, user: User, but: UUID | None) -> None:
        if not self._factors.delete(user.id):
            raise TotpNotEnabled
        self._sessions.end_all(user.id, but)
        _tell(user, in_force=False)
        log.info("second_factor_removed", user_id=user.id)

    @contextmanager
    def _attempt(self, user_id: int, address: str) -> Iterator[None]:
        """A unit of work that counts as an attempt, unless nothing was guessed in it."""
        email = self._person(user_id).email
        nothing_guessed = (TotpEnabled, TotpNotBegun, TotpNotEnabled)
        with self._limit.attempt(email, address, *nothing_guessed), self.counted(user_id), unit_of_work():
            yield

    def _locked(self, user_id: int) -> User:
        self._sessions.hold(user_id)
        return self._person(user_id)

    def _person(self, user_id: int) -> User:
        user = self._factors.person(user_id)
        if user is None:
            raise NotFound(f"There is no user {user_id}.")
        return user

    def _new(self, user: User, sealed: str) -> NewTotp:
        secret = self._opened(sealed)
        return NewTotp(secret, totp.address(secret, user.email, self._issuer), sealed)

    def _opened(self, sealed: str) -> str:
        try:
            return self._box.open(sealed)
        except Unreadable:
            raise TotpNotBegun from None


def _tell(user: User, *, in_force: bool) -> None:
    # that of the log-ins that ended with it
    publish(SecondFactorChanged(user.id, user.email, user.name, in_force, user.generation))
