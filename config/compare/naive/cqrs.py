"""CQRS, naive: commands and queries have a bus and handlers, and all of them go through the same repositories."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.users.models import Session, User
from config.compare.naive.repository import Repository


@dataclass(frozen=True)
class CreateUser:
    """A command."""

    email: str
    name: str
    user_agent: str


@dataclass(frozen=True)
class ListLogins:
    """A query."""

    limit: int


class CreateUserHandler:
    """Makes a user and logs them in."""

    def __init__(self, users: Repository[User], sessions: Repository[Session]) -> None:
        self.users, self.sessions = users, sessions

    def handle(self, command: CreateUser) -> User:
        user = self.users.create(User(email=command.email, name=command.name, password="!"))  # noqa: S106
        until = timezone.now() + timedelta(days=1)
        self.sessions.create(Session(user=user, user_agent=command.user_agent, expires_at=until))
        return user


class ListLoginsHandler:
    """Lists log-ins with the users whose they are."""

    def __init__(self, sessions: Repository[Session]) -> None:
        self.sessions = sessions

    def handle(self, query: ListLogins) -> list[dict[str, Any]]:
        sessions = self.sessions.list(limit=query.limit)
        return [{"id": s.id, "user_agent": s.user_agent, "email": s.user.email, "name": s.user.name} for s in sessions]


class Bus:
    """Finds the handler of a command or a query."""

    def __init__(self) -> None:
        self._handlers: dict[type, Any] = {}

    def register(self, message: type, handler: Any) -> None:
        self._handlers[message] = handler

    def execute(self, message: object) -> Any:
        return self._handlers[type(message)].handle(message)
