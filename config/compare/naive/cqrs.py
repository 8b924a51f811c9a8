"""CQRS, naive: commands and queries have a bus and handlers, and all of them go through the same repositories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.profiles.models import Profile
from apps.users.models import User
from config.compare.naive.repository import Repository


@dataclass(frozen=True)
class CreateUser:
    """A command."""

    email: str
    name: str
    company: str


@dataclass(frozen=True)
class ListUsers:
    """A query."""

    limit: int


class CreateUserHandler:
    """Makes a user and their profile."""

    def __init__(self, users: Repository[User], profiles: Repository[Profile]) -> None:
        self.users, self.profiles = users, profiles

    def handle(self, command: CreateUser) -> User:
        user = self.users.create(User(email=command.email, name=command.name, password="!"))  # noqa: S106
        self.profiles.create(Profile(user=user, company=command.company))
        return user


class ListUsersHandler:
    """Lists users with their companies."""

    def __init__(self, users: Repository[User]) -> None:
        self.users = users

    def handle(self, query: ListUsers) -> list[dict[str, Any]]:
        users = self.users.list(limit=query.limit)
        return [{"id": u.id, "email": u.email, "name": u.name, "company": u.profile.company} for u in users]


class Bus:
    """Finds the handler of a command or a query."""

    def __init__(self) -> None:
        self._handlers: dict[type, Any] = {}

    def register(self, message: type, handler: Any) -> None:
        self._handlers[message] = handler

    def execute(self, message: object) -> Any:
        return self._handlers[type(message)].handle(message)
