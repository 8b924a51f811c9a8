"""Logins: sessions, rotating refresh tokens, and the limit on failed attempts.

A refresh token is used once. One that comes a second time was stolen, from the user or by them, and nobody can tell
which; so the session it belongs to ends, with every token of it (RFC 9700, section 4.14.2).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

import structlog
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.db.models.functions import Now

from apps.core.errors import NotFound, TooMany
from apps.users.commands import CheckCredentials, IssueToken, LogIn, PruneSessions, RefreshSession, TokenPair
from apps.users.errors import InvalidToken, WrongCredentials
from apps.users.mailboxes import one_spelling
from apps.users.models import LoginAttempts, RefreshToken, Session, User
from apps.users.tokens import AccessTokens

log = structlog.get_logger("sessions")

COUNT_ATTEMPT = """
    INSERT INTO users_loginattempts AS a (key, minute, count)
    SELECT key, date_trunc('minute', now()), 1 FROM unnest(%s::text[]) AS key ORDER BY key
    ON CONFLICT (key) DO UPDATE SET minute = excluded.minute,
        count = CASE WHEN a.minute = excluded.minute THEN a.count + 1 ELSE 1 END
    RETURNING count, ceil(extract(epoch FROM minute + interval '1 minute' - now()))::int"""
FORGET_ATTEMPT = """
    UPDATE users_loginattempts SET count = count - 1
    WHERE key = ANY(%s) AND minute = date_trunc('minute', now()) AND count > 0"""


class LoginLimit:
    """Failed logins a minute, of one address and of one e-mail; in PostgreSQL, which a wiped cache does not reset."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute

    def reserve(self, keys: list[str]) -> None:
        """Count an attempt before it is made, so that racing ones cannot slip through. Raises TooMany."""
        with connection.cursor() as cursor:
            cursor.execute(COUNT_ATTEMPT, [keys])
            rows = cursor.fetchall()
        if max(count for count, _ in rows) > self._per_minute:
            seconds = max(left for _, left in rows)
            log.warning("login_limited", seconds=seconds)
            raise TooMany(f"Too many failed logins; try again in {seconds} s.", max(seconds, 1))

    def forgive(self, keys: list[str]) -> None:
        """A successful login does not count."""
        with connection.cursor() as cursor:
            cursor.execute(FORGET_ATTEMPT, [keys])


class Sessions:
    """Handlers of the commands for logging in and for tokens."""

    def __init__(self, tokens: AccessTokens, limit: LoginLimit, lifetime: timedelta) -> None:
        self._tokens = tokens
        self._limit = limit
        self._lifetime = lifetime

    def check(self, command: CheckCredentials) -> int:
        """Who that is, if the password is right; takes as long for an unknown e-mail as for a wrong password."""
        return self._authenticated(command).id

    def log_in(self, command: LogIn) -> TokenPair:
        """A new session for the user that `check` finds."""
        user = self._authenticated(command)
        with transaction.atomic():
            session = Session.objects.create(user=user, expires_at=Now() + self._lifetime)
            return self._pair(session)

    def _authenticated(self, given: LogIn | CheckCredentials) -> User:
        email = one_spelling(given.email).lower()
        keys = [_digest(f"address:{given.address}"), _digest(f"email:{email}")]
        self._limit.reserve(keys)
        user = User.objects.with_email(email).first()
        if user is None:
            make_password(given.password)
            raise WrongCredentials
        if not check_password(given.password, user.password) or not user.is_active:
            log.info("login_failed", user_id=user.id)
            raise WrongCredentials
        self._limit.forgive(keys)
        return user

    def refresh(self, command: RefreshSession) -> TokenPair:
        """A new pair for an unused token; for a used one the end of its session. Raises InvalidToken."""
        with transaction.atomic():
            tokens = RefreshToken.objects.select_for_update(of=("self",)).select_related("session__user")
            token = tokens.filter(digest=_digest(command.refresh)).first()
            if token and token.used_at is None and self._is_alive(token.session):
                RefreshToken.objects.filter(digest=token.digest).update(used_at=Now())
                return self._pair(token.session)
            if token and token.used_at is not None:
                log.warning("refresh_token_reused", session_id=str(token.session_id), user_id=token.session.user_id)
                Session.objects.filter(id=token.session_id, revoked_at=None).update(revoked_at=Now())
        raise InvalidToken("The refresh token is unknown, used or expired; log in again.")

    def issue(self, command: IssueToken) -> str:
        """An access token that no password was needed for."""
        user = User.objects.with_email(command.email).filter(is_active=True).first()
        if user is None:
            raise NotFound(f"There is no active user with the e-mail {command.email}.")
        # a session of its own, so that deactivating the user ends this token for good
        session = Session.objects.create(user=user, expires_at=Now() + timedelta(seconds=self._tokens.lifetime))
        return self._tokens.issue(user.id, session.id)

    def end_all(self, user_id: int) -> None:
        """End every session of a user."""
        Session.objects.filter(user_id=user_id, revoked_at=None).update(revoked_at=Now())

    def prune(self, command: PruneSessions) -> int:
        """Delete what has expired."""
        deleted, _ = Session.objects.filter(expires_at__lt=Now()).delete()
        SessionStore.clear_expired()
        LoginAttempts.objects.filter(minute__lt=Now() - timedelta(hours=1)).delete()
        return deleted

    def _is_alive(self, session: Session) -> bool:
        alive = Session.objects.filter(id=session.id, revoked_at=None, expires_at__gt=Now())
        return session.user.is_active and alive.exists()

    def _pair(self, session: Session) -> TokenPair:
        refresh = secrets.token_urlsafe(32)
        RefreshToken.objects.create(digest=_digest(refresh), session=session)
        access = self._tokens.issue(session.user_id, session.id)
        return TokenPair(access, refresh, self._tokens.lifetime)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
