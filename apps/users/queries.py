"""CQRS, the reading side: queries of users, each one statement that reads just the columns its reader shows.

Who may see a row is part of the statement, so a read that also has to check its caller is still one round trip. The
columns of the profile are reached by the relation's name: a read may join what no use case may touch.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import Exists, F, Q, QuerySet
from django.db.models.functions import Now

from apps.core.bus import Query
from apps.core.errors import NotAllowed, NotAuthenticated, NotFound
from apps.core.reads import CompiledRead, Cursor, newest_first
from apps.users.models import Session, User
from apps.users.search import searchable
from apps.users.tokens import AccessTokens, Claims

Row = dict[str, Any]
# the fields that readers may ask for, and where they stand: a renamed column changes this table and no version
FIELDS: dict[str, str] = {
    "id": "id",
    "email": "email",
    "name": "name",
    "is_active": "is_active",
    "is_staff": "is_staff",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "version": "version",
    "profile_display_name": "profile__display_name",
    "profile_company": "profile__company",
    "profile_avatar_url": "profile__avatar_url",
    "profile_enriched_at": "profile__enriched_at",
}


@dataclass(frozen=True)
class Caller:
    """A user who is active now."""

    id: int
    is_staff: bool


@dataclass(frozen=True)
class ReadToken(Query[Claims]):
    """What an access token says. Refused with InvalidToken."""

    token: str


@dataclass(frozen=True)
class GetCaller(Query[Caller]):
    """Who stands behind the claims, if they are active and their login has not ended. Refused with NotAuthenticated."""

    claims: Claims


@dataclass(frozen=True)
class GetUser(Query[Row]):
    """The `fields` (names in FIELDS) of one user, for that user and for staff.

    Refused with NotFound, NotAuthenticated."""

    user_id: int
    fields: tuple[str, ...]
    caller: Claims


@dataclass(frozen=True)
class ListUsers(Query[list[Row]]):
    """The `fields` (names in FIELDS) of up to `limit` users from `cursor` on, newest first, for staff.

    Refused with NotAllowed, NotAuthenticated.
    """

    fields: tuple[str, ...]
    caller: Claims
    limit: int = 20
    cursor: Cursor | None = None
    search: str = ""
    is_active: bool | None = None


@dataclass(frozen=True)
class ListStaffEmails(Query[list[str]]):
    """The e-mails of all active staff."""


def shown(rows: QuerySet[User], fields: tuple[str, ...]) -> QuerySet[User, Row]:
    """`rows` as dictionaries of `fields`, each under its own name. Raises KeyError for a field that FIELDS lacks."""
    plain = [name for name in fields if FIELDS[name] == name]
    aliased = {name: F(FIELDS[name]) for name in fields if FIELDS[name] != name}
    found: QuerySet[User, Row] = rows.values(*plain, **aliased)
    return found


@dataclass(frozen=True)
class FindUser(Query[int]):
    """The id of the user with this e-mail. Refused with NotFound."""

    email: str


def active(claims: Claims) -> QuerySet[User]:
    """The caller's own row, as long as they are active and their login has not ended."""
    rows = User.objects.filter(id=claims.user_id, is_active=True)
    if claims.session_id is None:
        return rows
    return rows.filter(Exists(Session.objects.filter(id=claims.session_id, revoked_at=None, expires_at__gt=Now())))


def get_caller(query: GetCaller) -> Caller:
    """One statement."""
    claims = query.claims
    for row in _caller(stand_in(claims)).fetch(caller=claims.user_id, session=claims.session_id):
        return Caller(row["id"], row["is_staff"])
    raise NotAuthenticated("The user of this token is deactivated or gone, or has logged out.")


# stand for the values of a compiled read; no row has such keys
ANY_USER, ANY_CALLER, ANY_KEY = 2**61 - 1, 2**61 - 3, 2**61 - 5
ANY_SESSION = uuid.UUID(int=2**127 - 1)


def stand_in(claims: Claims) -> Claims:
    """Claims of the same kind as `claims`, for compiling a read."""
    return Claims(ANY_CALLER, ANY_SESSION if claims.session_id else None, 0.0)


@lru_cache(maxsize=2)
def _caller(caller: Claims) -> CompiledRead:
    return CompiledRead(active(caller).values("id", "is_staff"), caller=ANY_CALLER, session=ANY_SESSION)


@lru_cache(maxsize=64)
def _one_user(fields: tuple[str, ...], caller: Claims) -> CompiledRead:
    may_see = active(caller).filter(Q(is_staff=True) | Q(id=ANY_USER))
    rows = User.objects.filter(Exists(may_see), id=ANY_USER)
    return CompiledRead(shown(rows, fields), user=ANY_USER, caller=ANY_CALLER, session=ANY_SESSION)


@lru_cache(maxsize=512)
def _page_of_users(fields: tuple[str, ...], caller: Claims, limit: int, direction: bool | None) -> CompiledRead:
    rows = newest_first(staff_rows(caller), None if direction is None else Cursor(ANY_KEY, direction))
    return CompiledRead(shown(rows, fields)[: limit + 1], caller=ANY_CALLER, session=ANY_SESSION, key=ANY_KEY)


def get_user(query: GetUser) -> Row:
    """One statement; a second one only to tell a refusal's reason."""
    caller = query.caller
    read = _one_user(query.fields, stand_in(caller))
    for row in read.fetch(user=query.user_id, caller=caller.user_id, session=caller.session_id):
        return row
    get_caller(GetCaller(query.caller))
    raise NotFound(f"There is no user {query.user_id}.")


def list_users(query: ListUsers) -> list[Row]:
    """One statement; a second one only where it finds nothing. One row more than `limit` tells that there are more."""
    found = _filtered(query) if query.search or query.is_active is not None else _unfiltered(query)
    if not found and not get_caller(GetCaller(query.caller)).is_staff:
        raise NotAllowed("Only staff may list users.")
    return found


def find_user(query: FindUser) -> int:
    """One statement."""
    found: int | None = User.objects.with_email(query.email).values_list("id", flat=True).first()
    if found is None:
        raise NotFound(f"There is no user with the e-mail {query.email}.")
    return found


def list_staff_emails(query: ListStaffEmails) -> list[str]:
    """One statement."""
    return list(User.objects.filter(is_staff=True, is_active=True).order_by("id").values_list("email", flat=True))


def _unfiltered(query: ListUsers) -> list[Row]:
    caller, cursor = query.caller, query.cursor
    read = _page_of_users(query.fields, stand_in(caller), query.limit, cursor.forward if cursor else None)
    return read.fetch(caller=caller.user_id, session=caller.session_id, key=cursor.key if cursor else None)


def _filtered(query: ListUsers) -> list[Row]:
    rows = staff_rows(query.caller)
    if query.is_active is not None:
        rows = rows.filter(is_active=query.is_active)
    if query.search:
        rows = rows.filter(search__contains=searchable(query.search))
    return list(shown(newest_first(rows, query.cursor), query.fields)[: query.limit + 1])


def staff_rows(claims: Claims) -> QuerySet[User]:
    """All users, if the caller is active and staff; else none."""
    return User.objects.filter(Exists(active(claims).filter(is_staff=True)))


class TokenReader:
    """Handler of ReadToken."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    def read(self, query: ReadToken) -> Claims:
        """Raises InvalidToken."""
        return self._tokens.read(query.token)
