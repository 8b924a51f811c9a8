"""CQRS, the reading side: queries of users, each one statement that reads just the columns its reader shows.

Who may see a row is part of the statement, so a read that also has to check its caller is still one round trip. The
columns of the profile are reached by the relation's name: a read may join what no use case may touch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, Q, QuerySet
from django.db.models.functions import Lower, Now

from apps.core.api.pagination import Cursor
from apps.core.bus import Query
from apps.core.errors import NotAllowed, NotAuthenticated, NotFound
from apps.users.models import Session, User
from apps.users.tokens import AccessTokens, Claims

Row = dict[str, Any]


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
    """The `columns` of one user, for the user or for staff. Refused with NotFound, NotAuthenticated."""

    user_id: int
    columns: tuple[str, ...]
    caller: Claims


@dataclass(frozen=True)
class ListUsers(Query[list[Row]]):
    """The `columns` of up to `limit` users from `cursor` on, newest first, for staff.

    Refused with NotAllowed, NotAuthenticated.
    """

    columns: tuple[str, ...]
    caller: Claims
    limit: int = 20
    cursor: Cursor | None = None
    search: str = ""
    is_active: bool | None = None


@dataclass(frozen=True)
class ListStaffEmails(Query[list[str]]):
    """The e-mails of all active staff."""


def active(claims: Claims) -> QuerySet[User]:
    """The caller's own row, as long as they are active and their login has not ended."""
    rows = User.objects.filter(id=claims.user_id, is_active=True)
    if claims.session_id is None:
        return rows
    return rows.filter(Exists(Session.objects.filter(id=claims.session_id, revoked_at=None, expires_at__gt=Now())))


def get_caller(query: GetCaller) -> Caller:
    """One statement."""
    row = active(query.claims).values_list("id", "is_staff").first()
    if row is None:
        raise NotAuthenticated("The user of this token is deactivated or gone, or has logged out.")
    return Caller(*row)


def get_user(query: GetUser) -> Row:
    """One statement; a second one only to tell a refusal's reason."""
    may_see = active(query.caller).filter(Q(is_staff=True) | Q(id=query.user_id))
    rows: Sequence[Row] = User.objects.filter(Exists(may_see), id=query.user_id).values(*query.columns)[:1]
    for row in rows:
        return row
    get_caller(GetCaller(query.caller))
    raise NotFound(f"There is no user {query.user_id}.")


def list_users(query: ListUsers) -> list[Row]:
    """One statement; a second one only where it finds nothing. One row more than `limit` tells that there are more."""
    rows = User.objects.filter(Exists(active(query.caller).filter(is_staff=True)))
    if query.is_active is not None:
        rows = rows.filter(is_active=query.is_active)
    if query.search:
        rows = rows.alias(lowered=Lower("email")).filter(
            Q(lowered__contains=query.search.lower()) | Q(name__icontains=query.search)
        )
    forward = query.cursor is None or query.cursor.forward
    if query.cursor:
        rows = rows.filter(id__lt=query.cursor.key) if forward else rows.filter(id__gt=query.cursor.key)
    found = list(rows.order_by("-id" if forward else "id").values(*query.columns)[: query.limit + 1])
    if not found and not get_caller(GetCaller(query.caller)).is_staff:
        raise NotAllowed("Only staff may list users.")
    return found


def list_staff_emails(query: ListStaffEmails) -> list[str]:
    """One statement."""
    return list(User.objects.filter(is_staff=True, is_active=True).order_by("id").values_list("email", flat=True))


class TokenReader:
    """Handler of ReadToken."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    def read(self, query: ReadToken) -> Claims:
        """Raises InvalidToken."""
        return self._tokens.read(query.token)
