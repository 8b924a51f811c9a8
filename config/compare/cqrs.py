"""CQRS: a list of 100 users with their companies, and a command whose second step fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from apps.core.bus import Command, bus
from apps.profiles.commands import Person, RecordEnrichment
from apps.profiles.models import Profile
from apps.users.commands import RegisterUser
from apps.users.models import User
from apps.users.queries import ListUsers
from apps.users.tokens import Claims
from config.compare.naive import cqrs
from config.compare.naive.repository import Repository
from config.compare.outcome import Comparison, Figures
from config.compare.world import fresh

USERS, REPEATS = 100, 7
FIELDS = ("id", "email", "name", "profile_company")
# longer than its column: the database refuses it
TOO_LONG = "x" * 201


def naive() -> Figures:
    """The naive bus, with its repositories."""
    fresh()
    _users()
    users, profiles = Repository(User), Repository(Profile)
    own = cqrs.Bus()
    own.register(cqrs.ListUsers, cqrs.ListUsersHandler(users))
    own.register(cqrs.CreateUser, cqrs.CreateUserHandler(users, profiles))
    figures = _list(lambda: own.execute(cqrs.ListUsers(USERS)))
    with suppress(DataError):
        own.execute(cqrs.CreateUser("half@example.com", "Half", TOO_LONG))
    return {**figures, "users_kept_of_a_command_that_failed": _kept()}


@dataclass(frozen=True)
class RegisterAt(Command[None]):
    """Make a user and their profile."""

    email: str
    name: str
    company: str


def register_at(command: RegisterAt) -> None:
    """Two commands of the service within one: the bus keeps both or none."""
    user = bus.execute(RegisterUser(command.email, command.name))
    bus.execute(RecordEnrichment(user.id, Person(command.name, command.company, "")))


def ours() -> Figures:
    """The service's bus, with its own query and commands."""
    fresh()
    reader = Claims(_users(), None, time.time() + 60)
    figures = _list(lambda: bus.ask(ListUsers(FIELDS, reader, limit=USERS - 1)))
    bus.register(RegisterAt, register_at)
    with suppress(DataError):
        bus.execute(RegisterAt("half@example.com", "Half", TOO_LONG))
    return {**figures, "users_kept_of_a_command_that_failed": _kept()}


def _users() -> int:
    """Make the users; the key of one who may list them."""
    made = User.objects.bulk_create(
        User(email=f"user{n}@example.com", name=f"User {n}", password="!", is_staff=n == 0)  # noqa: S106
        for n in range(USERS)
    )
    Profile.objects.bulk_create(Profile(user=user, company="Analytical Engines") for user in made)
    return made[0].id


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
    microseconds = round(median(taken) * 1e6)
    return {"users_listed": rows, "statements_for_the_list": len(captured), "microseconds_for_the_list": microseconds}


def _kept() -> int:
    return User.objects.filter(email="half@example.com").count()


COMPARISON = Comparison(
    promise="A list is one statement however long it is, and a command that fails half way leaves nothing behind.",
    headline="statements_for_the_list",
    naive=naive,
    ours=ours,
    kept=lambda naive, ours: (
        naive["users_listed"] == ours["users_listed"] == USERS
        and naive["statements_for_the_list"] == USERS + 1
        and ours["statements_for_the_list"] == 1
        and naive["users_kept_of_a_command_that_failed"] == 1
        and ours["users_kept_of_a_command_that_failed"] == 0
    ),
)
