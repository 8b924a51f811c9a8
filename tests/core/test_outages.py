"""An outage is 503 with Retry-After at the API and in the admin, and one line at the command line."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import Error as DjangoError
from django.db import InternalError, OperationalError, ProgrammingError, connection, transaction
from django.test import Client
from psycopg import errors
from psycopg_pool import PoolTimeout
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.outages import is_outage
from apps.users.commands import IssueToken, RegisterUser, UserSnapshot
from apps.users.factor_commands import CheckLogin
from apps.users.queries import ListUsers

PASSING = [
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
    errors.QueryCanceled,
    errors.LockNotAvailable,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.AdminShutdown,
    errors.CannotConnectNow,
    errors.TooManyConnections,
    errors.DiskFull,
    errors.OutOfMemory,
    errors.IoError,
    errors.ReadOnlySqlTransaction,
    errors.ConnectionFailure,
    errors.InvalidCatalogName,
    PoolTimeout,
    psycopg.OperationalError,
    psycopg.InterfaceError,
]
BUGS = [
    errors.SyntaxError,
    errors.UndefinedTable,
    errors.InFailedSqlTransaction,
    errors.ProgramLimitExceeded,
    errors.NumericValueOutOfRange,
    errors.UniqueViolation,
    errors.RaiseException,
]


def of_django(cause: type[psycopg.Error]) -> DjangoError:
    """The error of Django's that it raises for `cause`."""
    try:
        with connection.wrap_database_errors:
            raise cause("said by the server")
    except DjangoError as error:
        return error


@pytest.mark.parametrize("cause", PASSING, ids=lambda cause: cause.__name__)
def test_what_passes(cause: type[psycopg.Error]) -> None:
    assert is_outage(of_django(cause))
    assert is_outage(cause("past Django's wrapping"))


@pytest.mark.parametrize("cause", BUGS, ids=lambda cause: cause.__name__)
def test_what_does_not(cause: type[psycopg.Error]) -> None:
    assert not is_outage(of_django(cause))
    assert not is_outage(RuntimeError())


@pytest.mark.django_db(transaction=True)
def test_a_session_that_postgresql_ends_is_503_everywhere(
    register: Callable[..., UserSnapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    def idle(message: Any) -> Any:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '1ms'")
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
            with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as watcher:
                while watcher.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
                    watcher.rollback()
            cursor.execute("SELECT 1")

    staff = register("boss@example.com", is_staff=True)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {bus.execute(IssueToken(staff.email))}")
    with bus.replaced(ListUsers, idle):
        answer = client.get("/api/v1/users")
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "1")
    assert client.get("/api/v1/users").status_code == 200, "the next request has a connection of its own"

    browser = Client(raise_request_exception=False)
    with bus.replaced(CheckLogin, idle):
        page = browser.post("/admin/login/", {"username": "boss@example.com", "password": "x"})
    assert (page.status_code, page["Retry-After"]) == (503, "1")

    with bus.replaced(RegisterUser, idle), pytest.raises(CommandError, match="The database") as raised:
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
