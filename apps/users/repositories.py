"""The users' repository: the Protocol that the service owns, and its implementation on Django's ORM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from apps.core.errors import DomainError, NotFound
from apps.core.repository import DjangoRepository
from apps.users.errors import EmailTaken
from apps.users.models import User


class Users(Protocol):
    """Where users are kept; a fake for tests is in tests/users/fakes.py, and one contract suite runs against both."""

    def get(self, key: int) -> User:
        """Raises NotFound."""
        ...

    def lock(self, key: int) -> User:
        """Like `get`, locked until the transaction ends."""
        ...

    def by_email(self, email: str) -> User:
        """The user with this e-mail in any letter case. Raises NotFound."""
        ...

    def create(self, row: User) -> User:
        """Raises EmailTaken."""
        ...

    def update(self, row: User, **changes: Any) -> User:
        """Raises VersionConflict, NotFound, EmailTaken."""
        ...

    def delete(self, row: User) -> None: ...


class DjangoUsers(DjangoRepository[User]):
    """Users in PostgreSQL."""

    model = User
    conflicts: ClassVar[Mapping[str, Callable[[], DomainError]]] = {"users_email_taken": EmailTaken}

    def by_email(self, email: str) -> User:
        user = User.objects.with_email(email).first()
        if user is None:
            raise NotFound(f"There is no user with the e-mail {email}.")
        return user
