"""Where logins are kept: sessions with their refresh tokens, and how often a log-in failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

from apps.core import answers
from apps.users.commands import Device, Login
from apps.users.models import LoginAttempts, RefreshToken, Session, User

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

MARK_USED = """
    WITH used AS (
        UPDATE users_refreshtoken SET used_at = statement_timestamp() WHERE digest = %s RETURNING session_id)
    UPDATE users_session SET refreshed_at = statement_timestamp(), network = %s, user_agent = %s
    FROM used WHERE id = used.session_id"""


class Attempt(NamedTuple):
    """What an attempt counts against: digests of the address it came from and of the e-mail it named."""

    address: str
    email: str


class DjangoAttempts:
    """Log-ins that failed within the current minute; in PostgreSQL, so a wiped cache does not reset them."""

    def count(self, attempt: Attempt, limit: int) -> tuple[int, int]:
        """Count an attempt; returns how many there are now, and the seconds until they are forgotten.

        If its address has had more than `limit`, it counts against no e-mail.
        """
        with connection.cursor() as cursor:
            cursor.execute(COUNT_ATTEMPT, attempt._asdict() | {"limit": limit})
            count, seconds = cursor.fetchone()
            return count, seconds

    def forget(self, attempt: Attempt) -> None:
        """Take an attempt back; locks in the same order as `count`."""
        with connection.cursor() as cursor:
            for key in attempt:
                cursor.execute(FORGET_ATTEMPT, [key])

    def prune(self) -> None:
        """Delete the counts of past hours."""
        LoginAttempts.objects.filter(minute__lt=Now() - timedelta(hours=1)).delete()


class DjangoSessions:
    """Sessions and refresh tokens in PostgreSQL; what ends a session, or adds to it, locks its user first."""

    def user_with(self, email: str) -> User | None:
        """The user with this e-mail in any letter case, not locked; whether they have a second factor is read along."""
        return User.objects.with_email(email).select_related("second_factor").first()

    def hold(self, user_id: int) -> bool:
        """Lock the user until the transaction ends; False if they are gone."""
        user = User.objects.filter(id=user_id).select_for_update(no_key=True)
        return user.values_list("id").first() is not None

    def hold_login(self, login: Login) -> bool:
        """Lock the user until the transaction ends; False if they are gone, inactive, or not as they logged in."""
        user = User.objects.filter(
            id=login.user_id, password=login.password, generation=login.generation, is_active=True
        )
        return user.select_for_update(no_key=True).values_list("id").first() is not None

    def hold_active(self, email: str) -> User | None:
        """The active user with this e-mail, locked until the transaction ends."""
        return User.objects.with_email(email).filter(is_active=True).select_for_update(no_key=True).first()

    def hold_owner(self, digest: str) -> User | None:
        """The user whose refresh token this is, locked until the transaction ends; only what a refresh asks is read."""
        owner = User.objects.filter(sessions__tokens__digest=digest).select_for_update(of=("self",), no_key=True)
        asked = owner.select_related("second_factor").only("is_active", "is_staff", "second_factor__confirmed_at")
        return asked.first()

    def lock_token(self, digest: str) -> Any:
        """The refresh token, locked, with its session, and `is_alive`: whether that has neither ended nor expired."""
        alive = Q(session__revoked_at=None, session__expires_at__gt=Now())
        tokens = RefreshToken.objects.select_for_update(of=("self",)).select_related("session")
        return tokens.annotate(is_alive=ExpressionWrapper(alive, BooleanField())).filter(digest=digest).first()

    def open(self, user_id: int, lifetime: timedelta, device: Device) -> Session:
        """A new session that expires after `lifetime`."""
        opened_by = {"network": device.network, "user_agent": device.user_agent}
        return Session.objects.create(user_id=user_id, expires_at=Now() + lifetime, **opened_by)

    def add_token(self, session: Session, digest: str) -> None:
        """Keep a refresh token of `session`."""
        RefreshToken.objects.create(digest=digest, session=session)

    def mark_used(self, digest: str, device: Device) -> None:
        """Mark a refresh token as used, so that it cannot be used again, and its session as used by `device`."""
        with connection.cursor() as cursor:
            cursor.execute(MARK_USED, [digest, device.network, device.user_agent])

    def end(self, session_id: Any) -> None:
        """End one session."""
        Session.objects.filter(id=session_id, revoked_at=None).update(revoked_at=Now())

    def end_own(self, user_id: int, session_id: Any) -> bool:
        """End one session of a user; False if they have no such session, or it has ended."""
        own = Session.objects.filter(id=session_id, user_id=user_id, revoked_at=None, expires_at__gt=Now())
        return own.update(revoked_at=Now()) > 0

    def end_all(self, user_id: int, but: Any = None) -> None:
        """End every session of a user but one, those of the admin too, and delete the kept answers with their tokens.

        A log-in that was checked before is of an earlier generation now, so it opens no session any more.
        """
        User.objects.filter(id=user_id).update(generation=F("generation") + 1)
        Session.objects.filter(user_id=user_id, revoked_at=None).exclude(id=but).update(revoked_at=Now())
        answers.forget_subject(user_id)

    def forget(self, user_id: int) -> None:
        """Delete every session of a user, and every answer that is kept about them or for them."""
        Session.objects.filter(user_id=user_id).delete()
        answers.forget_person(user_id)

    def prune(self) -> int:
        """Delete what has expired, the admin's sessions too; returns how many rows of the API's sessions that were."""
        deleted, _ = Session.objects.filter(expires_at__lt=Now()).delete()
        SessionStore.clear_expired()
        return deleted
