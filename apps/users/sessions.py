"""Logins: sessions, rotating refresh tokens, and the limit on failed attempts.

A refresh token is used once. One that comes a second time was stolen, from the user or by them, and nobody can tell
which; so the session it belongs to ends, with every token of it (RFC 9700, section 4.14.2).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, NamedTuple

import structlog
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now

from apps.core import answers
from apps.core.bus import unit_of_work
from apps.core.errors import NotFound, TooMany
from apps.users import passwords
from apps.users.commands import (
    CheckCredentials,
    ConfirmLogin,
    IssueToken,
    LogIn,
    Login,
    PruneSessions,
    RefreshSession,
    TokenPair,
)
from apps.users.errors import InvalidToken, WrongCredentials
from apps.users.mailboxes import one_spelling
from apps.users.models import LoginAttempts, RefreshToken, Session, User
from apps.users.tokens import AccessTokens

log = structlog.get_logger("sessions")

# the address first, and the e-mail only for an address that is still let in; one statement, so one order of locks
COUNT_ATTEMPT = """
    WITH address AS (
        INSERT INTO users_loginattempts AS a (key, minute, count)
        VALUES (%(address)s, date_trunc('minute', statement_timestamp()), 1)
        ON CONFLICT (key) DO UPDATE SET minute = greatest(a.minute, excluded.minute),
            count = CASE WHEN a.minute >= excluded.minute THEN a.count + 1 ELSE 1 END
        RETURNING count, minute),
    email AS (
        INSERT INTO users_loginattempts AS e (key, minute, count)
        SELECT %(email)s, date_trunc('minute', statement_timestamp()), 1 FROM address WHERE count <= %(limit)s
        ON CONFLICT (key) DO UPDATE SET minute = greatest(e.minute, excluded.minute),
            count = CASE WHEN e.minute >= excluded.minute THEN e.count + 1 ELSE 1 END
        RETURNING count, minute)
    SELECT max(count), ceil(extract(epoch FROM max(minute) + interval '1 minute' - statement_timestamp()))::int
    FROM (SELECT * FROM address UNION ALL SELECT * FROM email) AS counted"""
FORGET_ATTEMPT = """
    UPDATE users_loginattempts SET count = count - 1
    WHERE key = %s AND minute = date_trunc('minute', statement_timestamp()) AND count > 0"""


class Attempt(NamedTuple):
    """What an attempt counts against: digests of the address it came from and of the e-mail it named."""

    address: str
    email: str


class LoginLimit:
    """Failed logins a minute, of one address and of one e-mail; in PostgreSQL, which a wiped cache does not reset."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute

    def reserve(self, attempt: Attempt) -> None:
        """Count an attempt before it is made, so that racing ones cannot slip through. Raises TooMany.

        Whoever is refused for their address counts against no e-mail: they could lock others out.
        """
        with connection.cursor() as cursor:
            cursor.execute(COUNT_ATTEMPT, attempt._asdict() | {"limit": self._per_minute})
            count, seconds = cursor.fetchone()
        if count > self._per_minute:
            log.warning("login_limited", seconds=seconds)
            raise TooMany(f"Too many failed logins; try again in {seconds} s.", max(seconds, 1))

    def forgive(self, attempt: Attempt) -> None:
        """A successful login does not count. In the order in which `reserve` locks."""
        with connection.cursor() as cursor:
            for key in attempt:
                cursor.execute(FORGET_ATTEMPT, [key])


class Sessions:
    """Handlers of the commands for logging in and for tokens."""

    def __init__(self, tokens: AccessTokens, limit: LoginLimit, lifetime: timedelta) -> None:
        self._tokens = tokens
        self._limit = limit
        self._lifetime = lifetime

    def check(self, command: CheckCredentials) -> Login:
        """Who that is, if the password is right; takes as long for an unknown e-mail as for a wrong password."""
        return self._authenticated(command)

    def confirm(self, command: ConfirmLogin) -> None:
        """Hold the user until the transaction ends, so that what is made for them in it cannot outlive its reason."""
        login = command.login
        user = User.objects.filter(id=login.user_id, password=login.password, is_active=True)
        if not user.select_for_update(no_key=True).values_list("id").first():
            log.info("login_overtaken", user_id=login.user_id)
            raise WrongCredentials

    def log_in(self, command: LogIn) -> TokenPair:
        """A new session for the user that `check` finds."""
        login = self._authenticated(command)
        with unit_of_work():
            # hashing takes long, and the user may be changed or gone by now
            self.confirm(ConfirmLogin(login))
            session = Session.objects.create(user_id=login.user_id, expires_at=Now() + self._lifetime)
            return self._pair(session)

    def _authenticated(self, given: LogIn | CheckCredentials) -> Login:
        email = one_spelling(given.email).lower()
        attempt = Attempt(_digest(f"address:{given.address}"), _digest(f"email:{email}"))
        self._limit.reserve(attempt)
        user = User.objects.with_email(email).first()
        fits = passwords.matches(given.password, user.password if user else None)
        if user is None or not fits or not user.is_active:
            log.info("login_failed", user_id=user and user.id)
            raise WrongCredentials
        self._limit.forgive(attempt)
        return Login(user.id, user.password)

    def refresh(self, command: RefreshSession) -> TokenPair:
        """A new pair for an unused token; for a used one the end of its session. Raises InvalidToken."""
        digest = _digest(command.refresh)
        with unit_of_work():
            # the user first: whatever ends a session holds its user, and goes on to the tokens from there
            owner = User.objects.filter(sessions__tokens__digest=digest).select_for_update(of=("self",), no_key=True)
            user = owner.only("is_active").first()
            token = user and self._token(digest)
            if user and token and token.used_at is None and user.is_active and token.is_alive:
                RefreshToken.objects.filter(digest=digest).update(used_at=Now())
                return self._pair(token.session)
            if user and token and token.used_at is not None:
                log.warning("refresh_token_reused", session_id=str(token.session_id), user_id=user.id)
                Session.objects.filter(id=token.session_id, revoked_at=None).update(revoked_at=Now())
        raise InvalidToken("The refresh token is unknown, used or expired; log in again.")

    def _token(self, digest: str) -> Any:
        alive = Q(session__revoked_at=None, session__expires_at__gt=Now())
        tokens = RefreshToken.objects.select_for_update(of=("self",)).select_related("session")
        return tokens.annotate(is_alive=ExpressionWrapper(alive, BooleanField())).filter(digest=digest).first()

    def issue(self, command: IssueToken) -> str:
        """An access token that no password was needed for."""
        user = User.objects.with_email(command.email).filter(is_active=True).select_for_update(no_key=True).first()
        if user is None:
            raise NotFound(f"There is no active user with the e-mail {command.email}.")
        # a session of its own, so that deactivating the user ends this token for good
        session = Session.objects.create(user=user, expires_at=Now() + timedelta(seconds=self._tokens.lifetime))
        return self._tokens.issue(user.id, session.id)

    def end_all(self, user_id: int) -> None:
        """End every session of a user; answers that are kept for a repeat give their tokens no longer."""
        Session.objects.filter(user_id=user_id, revoked_at=None).update(revoked_at=Now())
        answers.forget_subject(user_id)

    def forget(self, user_id: int) -> None:
        """Delete every session of a user, and every answer that is kept about them or for them."""
        Session.objects.filter(user_id=user_id).delete()
        answers.forget_person(user_id)

    def prune(self, command: PruneSessions) -> int:
        """Delete what has expired."""
        deleted, _ = Session.objects.filter(expires_at__lt=Now()).delete()
        SessionStore.clear_expired()
        LoginAttempts.objects.filter(minute__lt=Now() - timedelta(hours=1)).delete()
        return deleted

    def _pair(self, session: Session) -> TokenPair:
        refresh = secrets.token_urlsafe(32)
        RefreshToken.objects.create(digest=_digest(refresh), session=session)
        access = self._tokens.issue(session.user_id, session.id)
        return TokenPair(access, refresh, self._tokens.lifetime, session.user_id)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
