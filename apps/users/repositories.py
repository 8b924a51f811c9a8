"""The users' repository: the Protocol that the service owns, and its implementation on Django's ORM."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from django.db import DataError, IntegrityError, connection

from apps.core.errors import DomainError
from apps.core.repository import DjangoRepository
from apps.users.errors import EmailTaken, NotKept
from apps.users.models import User
from apps.users.search import searchable

STAFF_LOCK = int.from_bytes(b"staff")
# a password that nothing hashes to; nobody can log in with it until one is set
CREATE_MANY = """
    INSERT INTO users_user (email, name, search, password, is_active, is_staff, version)
    SELECT u ->> 0, u ->> 1, u ->> 2, '!' || gen_random_uuid(), true, false, 1
    FROM json_array_elements(%s) WITH ORDINALITY AS users(u, place) ORDER BY place
    ON CONFLICT (lower(email)) DO NOTHING RETURNING id, email, name"""


class MadeUser(NamedTuple):
    """One of many users that were just made."""

    id: int
    email: str
    name: str


class Users(Protocol):
    """Where users are kept; a fake for tests is in tests/users/fakes.py, and one contract suite runs against both."""

    def get(self, key: int) -> User:
        """The user. Raises NotFound."""
        ...

    def lock(self, key: int) -> User:
        """Like `get`, locked until the transaction ends; what belongs to the user can still be added."""
        ...

    def lock_to_delete(self, key: int) -> User:
        """Like `lock`, but rows that refer to the user can no longer be added."""
        ...

    def is_last_staff(self, row: User) -> bool:
        """Whether `row` is the only active staff; others who ask wait until the transaction ends."""
        ...

    def create(self, row: User) -> User:
        """Insert the user. Raises EmailTaken."""
        ...

    def create_many(self, pairs: Sequence[tuple[str, str]]) -> list[MadeUser]:
        """Insert users for the (e-mail, name) pairs whose e-mail is free, in that order. Raises NotKept."""
        ...

    def update(self, row: User, **changes: Any) -> User:
        """Write `changes`. Raises VersionConflict, NotFound, EmailTaken."""
        ...

    def delete(self, row: User) -> None: ...


class DjangoUsers(DjangoRepository[User]):
    """Users in PostgreSQL."""

    model = User
    conflicts: ClassVar[Mapping[str, Callable[[], DomainError]]] = {"users_email_taken": EmailTaken}

    def is_last_staff(self, row: User) -> bool:
        if not (row.is_staff and row.is_active):
            return False
        with connection.cursor() as cursor:
            # without the lock, two that remove each other would both see the other one still there
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [STAFF_LOCK])
        return not User.objects.filter(is_staff=True, is_active=True).exclude(pk=row.pk).exists()

    def create(self, row: User) -> User:
        row.search = searchable(row.name, row.email)
        return super().create(row)

    def update(self, row: User, **changes: Any) -> User:
        if "name" in changes or "email" in changes:
            changes["search"] = searchable(changes.get("name", row.name), changes.get("email", row.email))
        return super().update(row, **changes)

    def create_many(self, pairs: Sequence[tuple[str, str]]) -> list[MadeUser]:
        """Insert what is free, in one statement; the unique index leaves out what is taken."""
        # as JSON, since that takes a tenth of the time that arrays of texts take
        rows = json.dumps([(email, name, searchable(name, email)) for email, name in pairs])
        try:
            with connection.cursor() as cursor:
                cursor.execute(CREATE_MANY, [rows])
                return [MadeUser(*row) for row in cursor.fetchall()]
        except (DataError, IntegrityError, ValueError) as error:
            raise NotKept from error
