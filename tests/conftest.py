"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.resilience.breakers import Breakers, GetBreakers, GetPauses, ResetBreaker
from apps.core.resilience.circuit_breaker import SharedCircuitBreaker
from apps.events import deliveries
from apps.events.relay import fan_out
from apps.users.commands import IssueToken, RegisterUser, UserSnapshot
from tests import emptying, published, waiting_in_transactions  # noqa: F401 - emptying acts by itself
from tests.breakers import fresh_breaker
from tests.mail_server import mail_server  # noqa: F401 - for every test that sends mail
from tests.processes import Processes, running
from tests.profiles.fixtures import directory  # noqa: F401 - for every test that looks people up
from tests.waiting import wait_for

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="session")
def own_database_of_valkey() -> Iterator[redis.Redis]:
    """Valkey, connected once."""
    with redis.Redis.from_url(settings.ENV.redis_url) as valkey:
        yield valkey


@pytest.fixture(autouse=True)
def empty_cache(own_database_of_valkey: redis.Redis) -> redis.Redis:
    """Valkey as the test's own, wiped before it."""
    own_database_of_valkey.flushdb()
    return own_database_of_valkey


@pytest.fixture(autouse=True)
def nobody_waits_in_a_transaction() -> Iterator[None]:
    """Fails a test in which a socket was opened between BEGIN and COMMIT."""
    waiting_in_transactions.take()
    yield
    assert not (seen := waiting_in_transactions.take()), "\n".join(seen)


@pytest.fixture(autouse=True)
def events_are_as_described() -> Iterator[None]:
    """Fails a test that published an event which is not as its description says."""
    published.take()
    yield
    assert not (seen := published.take()), "\n".join(seen)


@pytest.fixture
def valkey(empty_cache: redis.Redis) -> redis.Redis:
    """The test's Valkey."""
    return empty_cache


@pytest.fixture
def register(db: None) -> Callable[..., UserSnapshot]:
    """Registers a user through the bus."""

    def make(email: str = "ada@example.com", name: str = "Ada", **more: Any) -> UserSnapshot:
        return bus.execute(RegisterUser(email, name, **more))

    return make


@pytest.fixture
def client_of() -> Callable[[UserSnapshot | None], APIClient]:
    """An API client that is logged in as a user, or as nobody."""

    def make(user: UserSnapshot | None) -> APIClient:
        client = APIClient()
        if user is not None:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {bus.execute(IssueToken(user.email))}")
        return client

    return make


@pytest.fixture
def staff(register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]) -> APIClient:
    """A client logged in as staff."""
    return client_of(register("staff@example.com", "Staff", is_staff=True))


@pytest.fixture
def bearer(register: Callable[..., UserSnapshot]) -> dict[str, str]:
    """The header of somebody who is logged in, for requests over a socket."""
    return {"Authorization": f"Bearer {bus.execute(IssueToken(register('caller@example.com').email))}"}


@pytest.fixture
def boss(db: None) -> UserSnapshot:
    """The support person."""
    return bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True))


@pytest.fixture
def support(boss: UserSnapshot) -> Client:
    """The admin, logged in."""
    client = Client()
    assert client.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
    return client


@pytest.fixture
def anyone(client_of: Callable[..., APIClient]) -> APIClient:
    """A client without a token."""
    return client_of(None)


@pytest.fixture
def drain() -> Callable[[], int]:
    """Relays and delivers, in this process, until nothing is due; returns the number of deliveries tried."""

    def work() -> int:
        tried = 0
        while True:
            events = fan_out()
            done = deliveries.work(seconds=30) + deliveries.work_waiting(seconds=30)
            tried += done
            if not events and not done:
                return tried

    return work


@pytest.fixture
def early_in_a_minute(db: None) -> None:
    """Begins the test with ten seconds left of the database's minute: what counts by the minute does not start anew."""
    wait_for(lambda: ask("SELECT extract(second FROM clock_timestamp()) < 50"), "a new minute begins")


def ask(sql: str) -> Any:
    """The one value that PostgreSQL answers with."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def own_database_url() -> str:
    """The address of the database that pytest-django has made."""
    return urlsplit(settings.ENV.database_url)._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


@pytest.fixture
def processes(transactional_db: None, tmp_path: Path) -> Iterator[Processes]:
    """Starts real processes of the service on the test's database."""
    yield from running(tmp_path, DATABASE_URL=own_database_url())
    with connection.cursor() as cursor:
        cursor.execute("SELECT type, data::text FROM events_outboxevent")
        seen = published.problems(cursor.fetchall())
    connection.close()
    assert not seen, "\n".join(seen)


@pytest.fixture
def make_due() -> Callable[[], None]:
    """Makes every waiting delivery due at once, as time would."""

    def bring_forward() -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE events_delivery SET due_at = statement_timestamp() WHERE due_at IS NOT NULL")

    return bring_forward


@pytest.fixture
def breaker() -> Iterator[SharedCircuitBreaker]:
    """The only breaker that there is."""
    made, breakers = fresh_breaker(), Breakers()
    breakers.add(made)
    with (
        bus.replaced(GetBreakers, breakers.all),
        bus.replaced(GetPauses, breakers.pauses),
        bus.replaced(ResetBreaker, breakers.reset),
    ):
        yield made
