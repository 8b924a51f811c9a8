"""How the queries of users are put together, and the reads of the hot path, compiled once in each process.

A compiled read is made with stand-ins: it needs to know which conditions there are, not their values.
"""

from __future__ import annotations

import uuid
from functools import cache, lru_cache
from typing import Any

from django.db.models import Exists, F, Q, QuerySet
from django.db.models.functions import Now

from apps.core.reads import CompiledRead, Cursor, newest_first
from apps.users.models import Session, User
from apps.users.tokens import Claims

# the fields that readers may ask for, and their columns: if a column is renamed, this table changes and no version does
FIELDS: dict[str, str] = {
    "id": "id",
    "email": "email",
    "name": "name",
    "is_active": "is_active",
    "is_staff": "is_staff",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "version": "version",
    "email_verified_at": "email_verified_at",
    "profile_display_name": "profile__display_name",
    "profile_company": "profile__company",
    "profile_avatar_url": "profile__avatar_url",
    "profile_enriched_at": "profile__enriched_at",
}


def shown(rows: QuerySet[User], fields: tuple[str, ...]) -> QuerySet[User, dict[str, Any]]:
    """`rows` as dictionaries of `fields`, each under its own name. Raises KeyError for a field that FIELDS lacks."""
    plain = [name for name in fields if FIELDS[name] == name]
    aliased = {name: F(FIELDS[name]) for name in fields if FIELDS[name] != name}
    found: QuerySet[User, dict[str, Any]] = rows.values(*plain, **aliased)
    return found


def active(claims: Claims) -> QuerySet[User]:
    """The caller's own row, if they are active and their login has not ended."""
    rows = User.objects.filter(id=claims.user_id, is_active=True)
    if claims.session_id is None:
        return rows
    return rows.filter(Exists(Session.objects.filter(id=claims.session_id, revoked_at=None, expires_at__gt=Now())))


def staff_rows(claims: Claims) -> QuerySet[User]:
    """All users, if the caller is active and staff; else none."""
    return User.objects.filter(Exists(active(claims).filter(is_staff=True)))


# stand for the values of a compiled read; no row has such keys
ANY_USER, ANY_CALLER, ANY_KEY = 2**61 - 1, 2**61 - 3, 2**61 - 5
ANY_SESSION = uuid.UUID(int=2**127 - 1)


def stand_in(claims: Claims) -> Claims:
    """Claims of the same kind as `claims`, for compiling a read."""
    return Claims(ANY_CALLER, ANY_SESSION if claims.session_id else None, 0.0)


@lru_cache(maxsize=2)
def caller_read(caller: Claims) -> CompiledRead:
    """The caller, if they are active: values `caller`, `session`."""
    return CompiledRead(active(caller).values("id", "is_staff"), caller=ANY_CALLER, session=ANY_SESSION)


@cache
def there() -> CompiledRead:
    """A user's id, if there is such a user: value `user`."""
    return CompiledRead(User.objects.filter(id=ANY_USER).values("id"), user=ANY_USER)


@lru_cache(maxsize=64)
def one_user(fields: tuple[str, ...], caller: Claims) -> CompiledRead:
    """One user, if the caller may see them: values `user`, `caller`, `session`."""
    may_see = active(caller).filter(Q(is_staff=True) | Q(id=ANY_USER))
    rows = User.objects.filter(Exists(may_see), id=ANY_USER)
    return CompiledRead(shown(rows, fields), user=ANY_USER, caller=ANY_CALLER, session=ANY_SESSION)


@lru_cache(maxsize=512)
def page_of_users(fields: tuple[str, ...], caller: Claims, limit: int, direction: bool | None) -> CompiledRead:
    """A page of all users, if the caller is staff: values `caller`, `session`, `key` (where the cursor stands)."""
    rows = newest_first(staff_rows(caller), None if direction is None else Cursor(ANY_KEY, direction))
    return CompiledRead(shown(rows, fields)[: limit + 1], caller=ANY_CALLER, session=ANY_SESSION, key=ANY_KEY)
