"""The service of logins: sessions, and rotating refresh tokens.

A refresh token is used once. If it comes a second time, it was stolen: either the thief or the user came first, and
nobody can tell which. So the session it belongs to ends, with all its tokens (RFC 9700, section 4.14.2).
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

import structlog

from apps.core.bus import unit_of_work
from apps.core.errors import NotFound
from apps.users import passwords
from apps.users.commands import (
    CheckCredentials,
    ConfirmLogin,
    Device,
    EndSession,
    EndSessions,
    IssueToken,
    LogIn,
    Login,
    PruneSessions,
    RefreshSession,
    TokenPair,
)
from apps.users.errors import (
    EmailUnverified,
    InvalidToken,
    OtpEnrolmentRequired,
    OtpRequired,
    WrongCode,
    WrongCredentials,
    WrongOtp,
)
from apps.users.factor_commands import CheckLogin
from apps.users.login_limit import LoginLimit, digest
from apps.users.mailboxes import one_spelling
from apps.users.models import Session, User
from apps.users.second_factor import SecondFactors
from apps.users.session_repositories import DjangoSessions
from apps.users.tokens import AccessTokens

log = structlog.get_logger("sessions")
BY_COMMAND = Device(user_agent="manage.py issue_token")


class Sessions:
    """Handlers of the commands for logging in and for tokens."""

    def __init__(
        self,
        sessions: DjangoSessions,
        tokens: AccessTokens,
        limit: LoginLimit,
        factors: SecondFactors,
        lifetime: timedelta,
        *,
        verified_only: bool = False,
    ) -> None:
        self._sessions = sessions
        self._factors = factors
        self._tokens = tokens
        self._limit = limit
        self._lifetime = lifetime
        self._verified_only = verified_only

    def check(self, command: CheckCredentials) -> Login:
        """Find whose credentials these are; takes as long for an unknown e-mail as for a wrong password."""
        with self._limit.attempt(command.email, command.address):
            return _login(self._with_password(command))

    def check_login(self, command: CheckLogin) -> Login:
        """Find whose credentials these are, and use up a code of their second factor if they have one."""
        return self._proven(command)

    def confirm(self, command: ConfirmLogin) -> None:
        """Lock the user until the transaction ends, so that nothing is made for a login that no longer holds."""
        if not self._sessions.hold_login(command.login):
            log.info("login_overtaken", user_id=command.login.user_id)
            raise WrongCredentials

    def log_in(self, command: LogIn) -> TokenPair:
        """Open a session for the user whose credentials these are."""
        login = self._proven(command)
        with unit_of_work():
            # hashing takes long, and the user may be changed or gone by now
            self.confirm(ConfirmLogin(login))
            session = self._sessions.open(login.user_id, self._lifetime, command.device)
            return self._pair(session)

    def _proven(self, given: LogIn | CheckLogin) -> Login:
        # what a right password is not enough for is no guess at it
        with self._limit.attempt(given.email, given.address, EmailUnverified, OtpRequired, OtpEnrolmentRequired):
            user = self._with_password(given)
            login = _login(user)
            if self._verified_only and user.email_verified_at is None:
                log.info("login_unverified", user_id=user.id)
                raise EmailUnverified
            if self._factors.is_missing(user.is_staff, has_one=user.has_second_factor):
                raise OtpEnrolmentRequired(login)
            if user.has_second_factor:
                if not given.otp:
                    raise OtpRequired
                self._spend(login, given.otp)
            return login

    def _spend(self, login: Login, otp: str) -> None:
        try:
            with self._factors.counted(login.user_id), unit_of_work():
                self.confirm(ConfirmLogin(login))
                self._factors.spend(login.user_id, otp)
        except WrongCode as error:
            raise WrongOtp(str(error)) from None

    def _with_password(self, given: LogIn | CheckLogin | CheckCredentials) -> User:
        user = self._sessions.user_with(one_spelling(given.email).lower())
        # whatever else there is to say, this comes first: no answer to a wrong password tells anything about the user
        fits = passwords.matches(given.password, user.password if user else None)
        if user is None or not fits or not user.is_active:
            log.info("login_failed", user_id=user and user.id)
            raise WrongCredentials
        return user

    def refresh(self, command: RefreshSession) -> TokenPair:
        """Make a new pair for an unused token; a used one ends its session. Raises InvalidToken."""
        presented = digest(command.refresh)
        with unit_of_work():
            # the user first: whatever ends a session locks its user first, and then the tokens
            user = self._sessions.hold_owner(presented)
            token = user and self._sessions.lock_token(presented)
            if user and token and token.used_at is None and user.is_active and token.is_alive:
                if self._factors.is_missing(user.is_staff, has_one=user.has_second_factor):
                    raise OtpEnrolmentRequired
                self._sessions.mark_used(presented, command.device)
                return self._pair(token.session)
            if user and token and token.used_at is not None:
                log.warning("refresh_token_reused", session_id=str(token.session_id), user_id=user.id)
                self._sessions.end(token.session_id)
        raise InvalidToken("The refresh token is unknown, used or expired; log in again.")

    def issue(self, command: IssueToken) -> str:
        """Make an access token without a password."""
        user = self._sessions.hold_active(command.email)
        if user is None:
            raise NotFound(f"There is no active user with the e-mail {command.email}.")
        # a session of its own, so that the user sees this token and can end it, and deactivating them ends it for good
        session = self._sessions.open(user.id, timedelta(seconds=self._tokens.lifetime), BY_COMMAND)
        return self._tokens.issue(user.id, session.id)

    def end_one(self, command: EndSession) -> None:
        """End the session. Raises NotFound."""
        # the user first, as everywhere: a refresh of this session must have happened, or find it ended
        if not self._sessions.hold(command.user_id) or not self._sessions.end_own(command.user_id, command.session_id):
            raise NotFound(f"There is no session {command.session_id}, or it has ended.")

    def end_others(self, command: EndSessions) -> None:
        """End the sessions."""
        if self._sessions.hold(command.user_id):
            self._sessions.end_all(command.user_id, command.but)

    def end_all(self, user_id: int, but: UUID | None = None) -> None:
        """End every session of a locked user but one, and delete the kept answers with their tokens."""
        self._sessions.end_all(user_id, but)

    def forget(self, user_id: int) -> None:
        """Delete every session of a user, and every answer that is kept about them or for them."""
        self._sessions.forget(user_id)

    def prune(self, command: PruneSessions) -> int:
        """Delete what has expired."""
        deleted = self._sessions.prune()
        self._limit.prune()
        return deleted

    def _pair(self, session: Session) -> TokenPair:
        refresh = secrets.token_urlsafe(32)
        self._sessions.add_token(session, digest(refresh))
        access = self._tokens.issue(session.user_id, session.id)
        return TokenPair(access, refresh, self._tokens.lifetime, session.user_id)


def _login(user: User) -> Login:
    return Login(user.id, user.password, user.generation)
