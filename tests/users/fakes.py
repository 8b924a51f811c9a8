"""Users kept in memory, for tests of use cases that need no database."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any

from django.contrib.auth.hashers import make_password

from apps.core.errors import NotFound, VersionConflict
from apps.users.errors import EmailTaken
from apps.users.models import User
from apps.users.repositories import MadeUser


class FakeUsers:
    """Implements `apps.users.repositories.Users`; tests/patterns/test_repository.py holds it to the same contract."""

    def __init__(self) -> None:
        self._rows: dict[int, User] = {}
        self._ids = count(1)

    def get(self, key: int) -> User:
        if key not in self._rows:
            raise NotFound(f"There is no user {key}.")
        return copy.copy(self._rows[key])

    def lock(self, key: int) -> User:
        return self.get(key)

    def lock_to_delete(self, key: int) -> User:
        return self.get(key)

    def is_last_staff(self, row: User) -> bool:
        staff = [user.id for user in self._rows.values() if user.is_staff and user.is_active]
        return staff == [row.id]

    def create(self, row: User) -> User:
        self._refuse_taken(row.email, but=None)
        row.id = next(self._ids)
        row.created_at = row.updated_at = datetime.now(UTC)
        self._rows[row.id] = copy.copy(row)
        return row

    def create_many(self, pairs: Sequence[tuple[str, str]]) -> list[MadeUser]:
        made = []
        for email, name in pairs:
            with suppress(EmailTaken):
                user = self.create(User(email=email, name=name, password=make_password(None)))
                made.append(MadeUser(user.id, user.email, user.name))
        return made

    def update(self, row: User, **changes: Any) -> User:
        kept = self.get(row.id)
        if kept.version != row.version:
            raise VersionConflict("It was changed since you read it.")
        self._refuse_taken(changes.get("email", row.email), but=row.id)
        for name, value in {**changes, "version": row.version + 1, "updated_at": datetime.now(UTC)}.items():
            setattr(row, name, value)
        self._rows[row.id] = copy.copy(row)
        return row

    def delete(self, row: User) -> None:
        self._rows.pop(row.id, None)

    def _refuse_taken(self, email: str, but: int | None) -> None:
        if any(user.email.lower() == email.lower() and user.id != but for user in self._rows.values()):
            raise EmailTaken
