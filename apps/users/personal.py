"""What users keep about a person: the account, log-ins, and failed attempts to log in."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.personal import Holding, Person, Row, file_under, hold
from apps.users.account_repositories import key_of_mail
from apps.users.events import about_address
from apps.users.links import Purpose
from apps.users.login_limit import key_of_email
from apps.users.models import EmailChange, LoginAttempts, SecondFactor, Session, User

MOST = 1000


def tell_account(person: Person) -> Iterator[Row]:
    """The account, without the password's hash."""
    rows = User.objects.filter(id=person.user_id)
    yield from rows.values(
        "id", "email", "email_verified_at", "name", "is_active", "is_staff", "last_login", "created_at", "updated_at",
        "version",
    )  # fmt: skip


def tell_sessions(person: Person) -> Iterator[Row]:
    """The log-ins; tokens are kept as digests."""
    sessions = Session.objects.filter(user_id=person.user_id).order_by("-created_at")
    columns = ("id", "created_at", "refreshed_at", "expires_at", "revoked_at", "network", "user_agent")
    yield from sessions.values(*columns)[:MOST]


def tell_factor(person: Person) -> Iterator[Row]:
    """The second factor, without its secret."""
    yield from SecondFactor.objects.filter(user_id=person.user_id).values("created_at", "confirmed_at")


def tell_attempts(person: Person) -> Iterator[Row]:
    """How often a log-in with their e-mails failed lately, or a mail to them was asked for."""
    yield from LoginAttempts.objects.filter(key__in=_keys(person)).values("minute", "count")


def erase_attempts(person: Person, after: str) -> None:
    """Delete the counts that are kept under digests of their e-mails."""
    LoginAttempts.objects.filter(key__in=_keys(person), minute__lte=person.gone_at).delete()


def _keys(person: Person) -> list[str]:
    mails = [key_of_mail(purpose, email) for purpose in Purpose for email in person.emails]
    return [*map(key_of_email, person.emails), *mails]


def tell_changes(person: Person) -> Iterator[Row]:
    """The changes of their address of which a link may still work."""
    rows = EmailChange.objects.filter(user_id=person.user_id).order_by("-id")
    yield from rows.values("old_email", "new_email", "requested_at", "confirmed_at", "undone_at")[:MOST]


def aggregates(person: Person) -> list[str]:
    """What events about them are filed under: their number, and each of their addresses.

    Who is not gone is told of what was asked for an address only if it is known to be theirs.
    """
    addresses = person.emails if person.verified or person.gone_at else ()
    return [f"user:{person.user_id}", *map(about_address, addresses)]


file_under(aggregates)
hold(Holding("account", tell=tell_account))
hold(Holding("sessions", tell=tell_sessions))
hold(Holding("second_factor", tell=tell_factor))
hold(Holding("email_changes", tell=tell_changes))
hold(Holding("failed_logins", tell=tell_attempts, step=erase_attempts))
