"""What account mails need to know, and how many somebody has asked for."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.users.mailboxes import one_spelling
from apps.users.models import Session, User

# in the table of failed log-ins, whose rows go after an hour
COUNT_MAIL = """
    INSERT INTO users_loginattempts AS a (key, minute, count)
    VALUES (%s, date_trunc('hour', statement_timestamp()), 1)
    ON CONFLICT (key) DO UPDATE SET minute = greatest(a.minute, excluded.minute),
        count = CASE WHEN a.minute >= excluded.minute THEN least(a.count, 1000000) + 1 ELSE 1 END
    RETURNING count, ceil(extract(epoch FROM minute + interval '1 hour' - statement_timestamp()))::int"""


class Owner(NamedTuple):
    """A user who is active, and the database's time when they were read."""

    user: User
    now: datetime


class DjangoAccounts:
    """Accounts in PostgreSQL."""

    def count_mail(self, kind: str, email: str) -> tuple[int, int]:
        """Count a mail of `kind` to `email`: how many this hour, and the seconds until the hour is over."""
        with connection.cursor() as cursor:
            cursor.execute(
                COUNT_MAIL, [hashlib.sha256(f"mail:{kind}:{one_spelling(email).lower()}".encode()).hexdigest()]
            )
            count, seconds = cursor.fetchone()
            return count, seconds

    def owner_of(self, email: str) -> Owner | None:
        """The active user with this e-mail in any letter case."""
        return _owner(User.objects.with_email(email))

    def owner(self, user_id: int) -> Owner | None:
        """The active user."""
        return _owner(User.objects.filter(id=user_id))

    def hold(self, user_id: int) -> Owner | None:
        """The active user, locked until the transaction ends."""
        return _owner(User.objects.filter(id=user_id).select_for_update(no_key=True))

    def logged_in_since(self, user_id: int, moment: datetime) -> bool:
        """Whether the user has opened a session later than `moment`."""
        return Session.objects.filter(user_id=user_id, created_at__gt=moment).exists()


def _owner(users: QuerySet[User]) -> Owner | None:
    found = users.filter(is_active=True).annotate(now=Now()).first()
    return Owner(found, found.now) if found else None
