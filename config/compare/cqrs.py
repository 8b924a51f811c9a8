"""CQRS: a list of 100 log-ins with the users whose they are, and a command whose second step fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from django.db import DataError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.core.bus import Command, Query, bus
from apps.users.commands import RegisterUser
from apps.users.models import Session, User
from config.compare.naive import cqrs
from config.compare.naive.repository import Repository
from config.compare.outcome import Comparison, Figures
from config.compare.world import fresh

LOGINS, REPEATS = 100, 7
# longer than its column: the database refuses it
TOO_LONG = "x" * 1001


def naive() -> Figures:
    """The naive bus, with its repositories."""
    fresh()
    _log_in()
    users, sessions = Repository(User), Repository(Session)
    own = cqrs.Bus()
    own.register(cqrs.ListLogins, cqrs.ListLoginsHandler(sessions))
    own.register(cqrs.CreateUser, cqrs.CreateUserHandler(users, sessions))
    figures = _list(lambda: own.execute(cqrs.ListLogins(LOGINS)))
    with suppress(DataError):
        own.execute(cqrs.CreateUser("half@example.com", "Half", TOO_LONG))
    return {**figures, "users_kept_of_a_command_that_failed": _kept()}


@dataclass(frozen=True)
class ListLogins(Query[list[dict[str, Any]]]):
    """The log-ins, each with the user whose it is."""

    limit: int


@dataclass(frozen=True)
class LogIn(Command[None]):
    """Log a user in."""

    user_id: int
    user_agent: str


@dataclass(frozen=True)
class RegisterAt(Command[None]):
    """Make a user and log them in."""

    email: str
    name: str
    user_agent: str


def list_logins(query: ListLogins) -> list[dict[str, Any]]:
    """One statement, which reads the columns that are shown."""
    rows = Session.objects.values("id", "user_agent", email=F("user__email"), name=F("user__name"))
    return [dict(row) for row in rows[: query.limit]]


def log_in(command: LogIn) -> None:
    """The second step."""
    until = timezone.now() + timedelta(days=1)
    Session.objects.create(user_id=command.user_id, user_agent=command.user_agent, expires_at=until)


def register_at(command: RegisterAt) -> None:
    """Two commands within one: the bus keeps both or none."""
    user = bus.execute(RegisterUser(command.email, command.name))
    bus.execute(LogIn(user.id, command.user_agent))


def ours() -> Figures:
    """The service's bus, with a query and commands as the service has them."""
    fresh()
    _log_in()
    bus.register(ListLogins, list_logins)
    bus.register(LogIn, log_in)
    bus.register(RegisterAt, register_at)
    figures = _list(lambda: bus.ask(ListLogins(LOGINS)))
    with suppress(DataError):
        bus.execute(RegisterAt("half@example.com", "Half", TOO_LONG))
    return {**figures, "users_kept_of_a_command_that_failed": _kept()}


def _log_in() -> None:
    made = User.objects.bulk_create(
        User(email=f"user{n}@example.com", name=f"User {n}", password="!")  # noqa: S106
        for n in range(LOGINS)
    )
    until = timezone.now() + timedelta(days=1)
    Session.objects.bulk_create(Session(user=user, user_agent="Engine/1", expires_at=until) for user in made)


def _list(ask: Callable[[], list[dict[str, object]]]) -> Figures:
    # once for what is compiled once in a process, and to see how many there are
    rows = len(ask())
    with CaptureQueriesContext(connection) as captured:
        ask()
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - start)
    milliseconds = round(median(taken) * 1e3, 1)
    return {"log_ins_listed": rows, "statements_for_the_list": len(captured), "milliseconds_for_the_list": milliseconds}


def _kept() -> int:
    return User.objects.filter(email="half@example.com").count()


COMPARISON = Comparison(
    promise="A list is one statement however long it is, and a command that fails half way leaves nothing behind.",
    headline="statements_for_the_list",
    naive=naive,
    ours=ours,
    kept=lambda naive, ours: (
        naive["log_ins_listed"] == ours["log_ins_listed"] == LOGINS
        and naive["statements_for_the_list"] == LOGINS + 1
        and ours["statements_for_the_list"] == 1
        and naive["users_kept_of_a_command_that_failed"] == 1
        and ours["users_kept_of_a_command_that_failed"] == 0
    ),
)
