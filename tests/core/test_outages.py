"""An outage is 503 with Retry-After at the API and in the admin, and one line at the command line."""

from __future__ import annotations

from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import Error as DjangoError
from django.db import InternalError, OperationalError, ProgrammingError, connection
from django.test import Client
from psycopg import errors
from psycopg_pool import PoolTimeout
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.key_rotation import Rotated, RotateKeys
from apps.core.outages import is_outage
from apps.core.resilience.breakers import GetBreakers
from tests.core.sessions import ended_by_postgresql
from tests.things.queries import ListThings
from tests.things.services import bus as things

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
def test_a_session_that_postgresql_ends_is_503_everywhere(anyone: APIClient, support: Client) -> None:
    with things.replaced(ListThings, ended_by_postgresql):
        answer = anyone.get("/api/v1/things")
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "1")
    assert anyone.get("/api/v1/things").status_code == 200, "the next request has a connection of its own"

    support.raise_request_exception = False
    with bus.replaced(GetBreakers, ended_by_postgresql):
        page = support.get("/admin/breakers/")
    assert (page.status_code, page["Retry-After"]) == (503, "1")

    with bus.replaced(RotateKeys, ended_by_postgresql), pytest.raises(CommandError, match="The database") as raised:
        call_command("rotate_keys", stdout=StringIO())
    assert isinstance(raised.value.__cause__, InternalError | OperationalError)


@pytest.mark.django_db
def test_a_bug_at_the_command_line_is_no_outage() -> None:
    def broken(command: RotateKeys) -> list[Rotated]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")
        raise AssertionError

    with bus.replaced(RotateKeys, broken), pytest.raises(ProgrammingError):
        call_command("rotate_keys")
