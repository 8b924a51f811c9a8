"""CQRS, the reading side: queries of users, each one statement that reads just the columns its reader shows.

Who may see a row is part of the statement, so a read that also has to check its caller is still one round trip. The
columns of the profile are reached through the relation: a read may join tables that a use case here may not touch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DataError, connection
from django.db.models.functions import Lower
from psycopg.errors import DivisionByZero

from apps.core.bus import Query, send_later
from apps.core.errors import NotAllowed, NotAuthenticated, NotFound
from apps.core.personal import Person
from apps.core.reads import Cursor, newest_first
from apps.users.models import EmailChange, User
from apps.users.reads import caller_read, one_user, page_of_users, shown, staff_rows, stand_in, there
from apps.users.search import searchable
from apps.users.tokens import AccessTokens, Claims

Row = dict[str, Any]
ENDED = "The user of this token is deactivated or gone, or has logged out."


@dataclass(frozen=True)
class GetUser(Query[Row]):
    """The `fields` (names in apps/users/reads.py) of one user, for that user and for staff.

    Refused with NotFound, NotAuthenticated."""

    user_id: int
    fields: tuple[str, ...]
    caller: Claims


def get_user(query: GetUser) -> Row:
    """The user as `GetUser` describes it; one statement, and a second one only to find the reason of a refusal."""
    caller = query.caller
    read = one_user(query.fields, stand_in(caller))
    for row in read.fetch(user=query.user_id, caller=caller.user_id, session=caller.session_id):
        return row
    get_caller(GetCaller(query.caller))
    raise NotFound(f"There is no user {query.user_id}.")


@dataclass(frozen=True)
class ListUsers(Query[list[Row]]):
    """The `fields` (names in apps/users/reads.py) of up to `limit` users from `cursor` on, newest first, for staff.

    Refused with NotAllowed, NotAuthenticated.
    """

    fields: tuple[str, ...]
    caller: Claims
    limit: int = 20
    cursor: Cursor | None = None
    search: str = ""
    is_active: bool | None = None


def list_users(query: ListUsers) -> list[Row]:
    """The users of `ListUsers`, and one more if there are more; one statement, a second one only if it finds none."""
    found = _filtered(query) if query.search or query.is_active is not None else _unfiltered(query)
    if not found and not get_caller(GetCaller(query.caller)).is_staff:
        raise NotAllowed("Only staff may list users.")
    return found


def _unfiltered(query: ListUsers) -> list[Row]:
    caller, cursor = query.caller, query.cursor
    read = page_of_users(query.fields, stand_in(caller), query.limit, cursor.forward if cursor else None)
    return read.fetch(caller=caller.user_id, session=caller.session_id, key=cursor.key if cursor else None)


def _filtered(query: ListUsers) -> list[Row]:
    rows = staff_rows(query.caller)
    if query.is_active is not None:
        rows = rows.filter(is_active=query.is_active)
    if query.search:
        rows = rows.filter(search__contains=searchable(query.search))
    return list(shown(newest_first(rows, query.cursor), query.fields)[: query.limit + 1])


@dataclass(frozen=True)
class Caller:
    """A user who is active now."""

    id: int
    is_staff: bool


@dataclass(frozen=True)
class GetCaller(Query[Caller]):
    """The user that the claims name, if active and if the login has not ended. Refused with NotAuthenticated."""

    claims: Claims


def get_caller(query: GetCaller) -> Caller:
    """The caller as `GetCaller` describes them; one statement."""
    claims = query.claims
    for row in caller_read(stand_in(claims)).fetch(caller=claims.user_id, session=claims.session_id):
        return Caller(row["id"], row["is_staff"])
    raise NotAuthenticated(ENDED)


@contextmanager
def check_caller(claims: Claims) -> Iterator[None]:
    """Like GetCaller, but in front of the transaction's next statement. Raises NotAuthenticated; then it has not run.

    Dividing by the number of such users is an error if there is none, and PostgreSQL runs nothing after an error.
    """
    sql, values = caller_read(stand_in(claims)).statement(caller=claims.user_id, session=claims.session_id)
    send_later(f"SELECT 1 / count(*) FROM ({sql}) caller", values)  # noqa: S608 # the ORM's own SQL
    try:
        yield
    except DataError as error:
        if isinstance(error.__cause__, DivisionByZero):
            raise NotAuthenticated(ENDED) from error
        raise


@dataclass(frozen=True)
class ReadToken(Query[Claims]):
    """What an access token says. Refused with InvalidToken."""

    token: str


class TokenReader:
    """Handler of ReadToken."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    def read(self, query: ReadToken) -> Claims:
        """What the token says. Raises InvalidToken."""
        return self._tokens.read(query.token)


@dataclass(frozen=True)
class FindUser(Query[int]):
    """The id of the user with this e-mail. Refused with NotFound."""

    email: str


def find_user(query: FindUser) -> int:
    """The id that `FindUser` asks for; one statement."""
    found: int | None = User.objects.with_email(query.email).values_list("id", flat=True).first()
    if found is None:
        raise NotFound(f"There is no user with the e-mail {query.email}.")
    return found


@dataclass(frozen=True)
class IsThere(Query[bool]):
    """Whether there is such a user, active or not."""

    user_id: int


def is_there(query: IsThere) -> bool:
    """The answer that `IsThere` asks for; one statement."""
    return bool(there().fetch(user=query.user_id))


@dataclass(frozen=True)
class GetPerson(Query[Person | None]):
    """Who a user is, for looking through what is kept about them; None if they are gone."""

    user_id: int


def get_person(query: GetPerson) -> Person | None:
    """The person that `GetPerson` asks for; one statement."""
    user = User.objects.filter(id=query.user_id).first()
    if user is None:
        return None
    return Person(user.id, user.email, user.name, user.is_staff, user.email_verified_at is not None)


@dataclass(frozen=True)
class FindChangedEmails(Query[tuple[str, ...]]):
    """The address that a change replaced and the new one; none if the change is gone."""

    change_id: int


def find_changed_emails(query: FindChangedEmails) -> tuple[str, ...]:
    """The addresses that `FindChangedEmails` asks for; one statement."""
    return EmailChange.objects.filter(id=query.change_id).values_list("old_email", "new_email").first() or ()


@dataclass(frozen=True)
class ListStaffEmails(Query[list[str]]):
    """The e-mails of all active staff."""


def list_staff_emails(query: ListStaffEmails) -> list[str]:
    """The e-mails, the oldest account's first; one statement."""
    return list(User.objects.filter(is_staff=True, is_active=True).order_by("id").values_list("email", flat=True))


@dataclass(frozen=True)
class GetTime(Query[datetime]):
    """The time by the database's clock, which also sets users' `created_at`."""


@dataclass(frozen=True)
class FindMadeSince(Query[set[str]]):
    """Those of `emails` (in lower case) whose user was made at `since` or later."""

    emails: frozenset[str]
    since: datetime


def get_time(query: GetTime) -> datetime:
    """The time as `GetTime` describes it; one statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def find_made_since(query: FindMadeSince) -> set[str]:
    """The e-mails that `FindMadeSince` asks for; one statement, through the index over lower(email)."""
    users = User.objects.alias(lowered=Lower("email")).filter(lowered__in=query.emails, created_at__gte=query.since)
    return {email.lower() for email in users.values_list("email", flat=True)}


# for other apps' writes about a user, as a part of their one statement: the user's id, locked until the commit, or no
# row if the user is gone. Django checks a foreign key only at the COMMIT, which is too late to leave the row out
HELD_USER = "SELECT id FROM users_user WHERE id = %(user_id)s FOR KEY SHARE"
HELD_USERS = "SELECT id FROM users_user WHERE id = ANY(%(user_ids)s) ORDER BY id FOR KEY SHARE"
