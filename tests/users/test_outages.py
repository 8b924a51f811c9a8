"""With the database away nobody gets in or is made, and it is said what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import InternalError, OperationalError, ProgrammingError, connection
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.users.commands import RegisterUser, UserSnapshot
from apps.users.factor_commands import CheckLogin
from apps.users.queries import ListUsers
from tests.core.sessions import ended_by_postgresql


@pytest.mark.django_db(transaction=True)
def test_a_session_that_postgresql_ends_is_503_everywhere(
    boss: UserSnapshot, client_of: Callable[..., APIClient]
) -> None:
    client = client_of(boss)
    with bus.replaced(ListUsers, ended_by_postgresql):
        answer = client.get("/api/v1/users")
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "1")
    assert client.get("/api/v1/users").status_code == 200, "the next request has a connection of its own"

    browser = Client(raise_request_exception=False)
    with bus.replaced(CheckLogin, ended_by_postgresql):
        page = browser.post("/admin/login/", {"username": "boss@example.com", "password": "x"})
    assert (page.status_code, page["Retry-After"]) == (503, "1")

    with bus.replaced(RegisterUser, ended_by_postgresql), pytest.raises(CommandError, match="The database") as raised:
        call_command("create_user", "ada@example.com", "--name", "Ada", stdout=StringIO())
    assert isinstance(raised.value.__cause__, InternalError | OperationalError)


@pytest.mark.django_db
def test_a_bug_at_the_command_line_is_no_outage() -> None:
    def broken(command: RegisterUser) -> UserSnapshot:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")
        raise AssertionError

    with bus.replaced(RegisterUser, broken), pytest.raises(ProgrammingError):
        call_command("create_user", "ada@example.com", "--name", "Ada")
