"""What account mails need to know, and how many somebody has asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.users.links import LIFETIMES, Purpose
from apps.users.mailboxes import one_spelling
from apps.users.models import EmailChange, Session, User

# a mail may wait before it is sent
AN_HOUR = timedelta(hours=1)

# in the table of failed log-ins, whose rows go after an hour
COUNT_MAIL = """
    INSERT INTO users_loginattempts AS a (key, minute, count)
    VALUES (%s, date_trunc('hour', statement_timestamp()), 1)
    ON CONFLICT (key) DO UPDATE SET minute = greatest(a.minute, excluded.minute),
        count = CASE WHEN a.minute >= excluded.minute THEN least(a.count, 1000000) + 1 ELSE 1 END
    RETURNING count, ceil(extract(epoch FROM minute + interval '1 hour' - statement_timestamp()))::int"""


# every welcome mail asks this, also those of an import
UNVERIFIED = """
    SELECT email, statement_timestamp() FROM users_user
    WHERE id = %s AND is_active AND email_verified_at IS NULL"""


class Owner(NamedTuple):
    """A user who is active, and the database's time when they were read."""

    user: User
    now: datetime


class Changing(NamedTuple):
    """A change of an address, its user, who is active, and the database's time."""

    change: EmailChange
    user: User
    now: datetime


class DjangoAccounts:
    """Accounts in PostgreSQL."""

    def count_mail(self, kind: str, email: str) -> tuple[int, int]:
        """Count a mail of `kind` to `email`: how many this hour, and the seconds until the hour is over."""
        with connection.cursor() as cursor:
            cursor.execute(COUNT_MAIL, [key_of_mail(kind, email)])
            count, seconds = cursor.fetchone()
            return count, seconds

    def owner_of(self, email: str) -> Owner | None:
        """The active user with this e-mail in any letter case."""
        return _owner(User.objects.with_email(email))

    def owner(self, user_id: int) -> Owner | None:
        """The active user."""
        return _owner(User.objects.filter(id=user_id))

    def unverified(self, user_id: int) -> tuple[str, datetime] | None:
        """The address of an active user who has not verified it, and the time."""
        with connection.cursor() as cursor:
            cursor.execute(UNVERIFIED, [user_id])
            found: tuple[str, datetime] | None = cursor.fetchone()
            return found

    def hold(self, user_id: int) -> Owner | None:
        """The active user, locked until the transaction ends."""
        return _owner(User.objects.filter(id=user_id).select_for_update(no_key=True))

    def logged_in_since(self, user_id: int, moment: datetime) -> bool:
        """Whether the user has opened a session later than `moment`."""
        return Session.objects.filter(user_id=user_id, created_at__gt=moment).exists()

    def ask_to_change(self, user: User, email: str) -> int:
        """Keep that the user wants to have another address; returns the change's key."""
        change = EmailChange.objects.create(user_id=user.id, old_email=user.email, new_email=email)
        return int(change.pk)

    def changing(self, change_id: int) -> Changing | None:
        """The change, unless its user is inactive or gone."""
        return self._changing(change_id, self.owner)

    def hold_change(self, change_id: int) -> Changing | None:
        """The same, its user locked until the transaction ends: whoever writes a change locks its user first."""
        return self._changing(change_id, self.hold)

    def _changing(self, change_id: int, find: Callable[[int], Owner | None]) -> Changing | None:
        user_id = EmailChange.objects.filter(id=change_id).values_list("user_id", flat=True).first()
        owner = find(user_id) if user_id else None
        # read once the lock is there
        change = EmailChange.objects.filter(id=change_id).first()
        return Changing(change, owner.user, owner.now) if change and owner else None

    def mark_confirmed(self, change: EmailChange, now: datetime) -> None:
        """Write that the change was made; one back to an address that could still be undone to is settled with it."""
        change.confirmed_at = now
        back = EmailChange.objects.filter(user_id=change.user_id, undone_at=None, confirmed_at__isnull=False)
        earlier = back.filter(old_email__iexact=change.new_email).order_by("id").first()
        if earlier:
            # whoever came back must not be undone by the address that they left
            self.mark_undone(earlier, now)
            change.undone_at = now
        change.save(update_fields=["confirmed_at", "undone_at"])

    def mark_undone(self, change: EmailChange, now: datetime) -> None:
        """Write that the change, and with it every later one of its user, is undone."""
        EmailChange.objects.filter(user_id=change.user_id, id__gte=change.pk, undone_at=None).update(undone_at=now)

    def squatter(self, change: EmailChange) -> User | None:
        """Who took the old address since the change, and never showed that it is theirs; locked."""
        rows = User.objects.with_email(change.old_email).filter(
            email_verified_at=None, is_staff=False, created_at__gt=change.confirmed_at
        )
        return rows.exclude(id=change.user_id).select_for_update(no_key=True).first()

    def prune_changes(self) -> int:
        """Delete changes of which no link works any more; returns how many."""
        dead = Q(confirmed_at=None, requested_at__lt=Now() - LIFETIMES[Purpose.CHANGE] - AN_HOUR)
        dead |= Q(confirmed_at__lt=Now() - LIFETIMES[Purpose.UNDO])
        deleted, _ = EmailChange.objects.filter(dead).delete()
        return deleted


def key_of_mail(kind: str, email: str) -> str:
    """Under which mails of `kind` to `email` are counted."""
    return hashlib.sha256(f"mail:{kind}:{one_spelling(email).lower()}".encode()).hexdigest()


def _owner(users: QuerySet[User]) -> Owner | None:
    found = users.filter(is_active=True).annotate(now=Now()).first()
    return Owner(found, found.now) if found else None
