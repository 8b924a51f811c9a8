"""What a request costs in round trips, which depend on the layers and not on the machine."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.users.commands import UserSnapshot
from tests.performance.trips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)
Register = Callable[..., UserSnapshot]
ClientOf = Callable[[UserSnapshot | None], APIClient]


@contextmanager
def counted(valkey: redis.Redis, sql: int, valkey_trips: int = 1) -> Iterator[None]:
    """Fails unless the block takes exactly `sql` statements and `valkey_trips` round trips."""
    with round_trips(valkey) as trips, CaptureQueriesContext(connection) as captured:
        yield
    assert len(captured) == sql, [query["sql"] for query in captured.captured_queries]
    assert len(trips) == valkey_trips, trips


@contextmanager
def database_trips() -> Iterator[list[str]]:
    """What PostgreSQL was asked in the block, a query for each time that somebody waited for its answer.

    Seen by libpq's own trace: https://www.postgresql.org/docs/current/libpq-control.html#LIBPQ-PQTRACE.
    """
    connection.ensure_connection()
    trips: list[str] = []
    with tempfile.TemporaryFile("w+") as trace:
        connection.connection.pgconn.trace(trace.fileno())
        try:
            yield trips
        finally:
            connection.connection.pgconn.untrace()
            trace.seek(0)
            messages = trace.read()
            trips += re.findall(r'\tF\t\d+\t(?:Query|Parse|Bind)\t "(.*?)"\n', messages, re.DOTALL)
            assert len(trips) == messages.count("ReadyForQuery"), messages


def post(client: APIClient, email: str, **headers: str) -> list[str]:
    """The trips of a registration."""
    with database_trips() as trips:
        answer = client.post("/api/v1/users", {"email": email, "name": "Ada"}, headers=headers)
    assert answer.status_code == 201
    return trips


def test_begin_and_commit_and_the_event_are_no_trips_of_their_own(client: APIClient, anyone: APIClient) -> None:
    assert [trip[:12] for trip in post(anyone, "a@example.com")] == ["BEGIN;INSERT", "INSERT INTO "]
    assert [trip[:20] for trip in post(client, "b@example.com")] == ["BEGIN;SELECT 1 / cou", "INSERT INTO events_o"]


def test_a_key_costs_one_trip_more(client: APIClient, anyone: APIClient) -> None:
    for by, email in ((anyone, "a@example.com"), (client, "b@example.com")):
        trips = post(by, email, **{"Idempotency-Key": "k"})
        # the caller, the lock and the look-up; the user; the event and the answer
        assert len(trips) == 3, trips
        assert trips[-1].endswith(";COMMIT"), "the user, the event and the answer are kept together"


def test_reads_and_a_change_in_trips(client: APIClient, register: Register) -> None:
    ada = f"/api/v1/users/{register().id}"
    for path in (ada, "/api/v1/users"):
        with database_trips() as trips:
            assert client.get(path).status_code == 200
        assert len(trips) == 1, trips
    with database_trips() as trips:
        assert client.patch(ada, {"name": "Ada L."}).status_code == 200
    # the caller; the user as read; locked; changed; read again; the event; the answer
    assert len(trips) == 7, trips


@pytest.fixture
def client(register: Register, client_of: ClientOf) -> APIClient:
    """A client whose connections are open and whose scripts are loaded, as after a process's first request."""
    client = client_of(register("boss@example.com", "Boss", is_staff=True))
    assert client.get("/api/v1/users/me").status_code == 200
    return client


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("headers", [{}, {"If-None-Match": "*"}])
def test_a_user(client: APIClient, valkey: redis.Redis, register: Register, version: str, headers: Any) -> None:
    ada = register()
    with counted(valkey, sql=1):
        answer = client.get(f"/api/{version}/users/{ada.id}", headers=headers)
    assert answer.status_code == (304 if headers else 200)


@pytest.mark.parametrize("query", ["", "?limit=100", "?search=user", "?is_active=true&limit=5"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_list_however_long(
    client: APIClient, valkey: redis.Redis, register: Register, version: str, query: str
) -> None:
    for number in range(30):
        register(f"user{number}@example.com")
    with counted(valkey, sql=1):
        answer = client.get(f"/api/{version}/users{query}")
    assert len(answer.json()["results"]) >= 5


def test_a_registration_is_three_statements_at_most_and_no_message_to_the_broker(
    client: APIClient, anyone: APIClient, valkey: redis.Redis
) -> None:
    anyone.get("/api/v1/users")
    with round_trips(valkey) as trips, CaptureQueriesContext(connection) as captured:
        answer = anyone.post("/api/v1/users", {"email": "ada@example.com", "name": "Ada", "password": "a long phrase"})
    assert answer.status_code == 201
    statements = ";".join(query["sql"] for query in captured.captured_queries[1:]).split(";")
    assert [statement.partition(" ")[0] for statement in statements] == ["BEGIN", "INSERT", "INSERT", "COMMIT"]
    assert trips == ["EVALSHA"], "the rate limit; a broker would have been sent an LPUSH"
    assert valkey.keys() == valkey.keys(f"{settings.VALKEY_PREFIX}rate:*"), "no queue came to be"


def test_an_anonymous_request_is_refused_without_the_database(
    client: APIClient, anyone: APIClient, valkey: redis.Redis
) -> None:
    anyone.get("/api/v1/users/me")
    with counted(valkey, sql=0):
        assert anyone.get("/api/v1/users/me").status_code == 401


def test_a_request_past_the_limit_costs_no_statement(client: APIClient, valkey: redis.Redis) -> None:
    (key,) = valkey.keys(f"{settings.VALKEY_PREFIX}rate:user:*")
    valkey.set(key, 10**6, keepttl=True)
    with counted(valkey, sql=0):
        assert client.get("/api/v1/users/me").status_code == 429


def test_health_costs_nothing(client: APIClient, valkey: redis.Redis) -> None:
    with counted(valkey, sql=0, valkey_trips=0):
        assert client.get("/healthz").status_code == 200
