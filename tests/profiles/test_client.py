"""The client of the people directory against a server that goes wrong: time limit, circuit breaker, retries."""

from __future__ import annotations

import subprocess
import sys
import time as clock
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from django.conf import settings

from apps.core.resilience.breaker_state import CLOSED, OPEN, ValkeyState
from apps.core.resilience.circuit_breaker import SharedCircuitBreaker
from apps.core.resilience.retry import Retry
from apps.core.resilience.valkey import Valkey
from apps.profiles.directory import DirectoryRefused, DirectoryUnavailable
from apps.profiles.people import PeopleClient
from config.stack.people import PeopleDirectory
from tests.breakers import fresh_breaker, trip
from tests.patterns.test_circuit_breaker import dripping
from tests.patterns.test_retry import Time, retry
from tests.processes import ROOT, Processes

MakeClient = Callable[..., PeopleClient]
# on a busy machine a new process's first look at Valkey may take longer than the service waits for it
ASK = """
import sys, time
import django; django.setup()
from apps.core.resilience.breakers import GetBreakers
from apps.core.bus import bus
from apps.profiles.commands import LookUpPerson
until = time.monotonic() + 20
while bus.ask(GetBreakers())["people"] != sys.argv[1] and time.monotonic() < until:
    time.sleep(0.1)
print("FOUND", bus.execute(LookUpPerson("ada@example.com")))
"""


@pytest.fixture
def time() -> Time:
    """This test's time."""
    return Time()


@pytest.fixture
def people() -> Iterator[PeopleDirectory]:
    """A real people directory on loopback."""
    with PeopleDirectory("test-key") as server:
        yield server


@pytest.fixture
def client(people: PeopleDirectory, time: Time) -> Iterator[MakeClient]:
    """Makes clients of that directory and closes them after the test."""
    with ExitStack() as made:

        def make(key: str = "test-key", threshold: int = 99, **more: Any) -> PeopleClient:
            breaker = fresh_breaker(failure_threshold=threshold, exclude=(DirectoryRefused,))
            return made.enter_context(closing(PeopleClient(people.url, key, breaker, retry(time, **more))))

        yield make


class TestOverTheNetwork:
    """The service's own client against a server that goes wrong."""

    @pytest.mark.parametrize("status", [400, 403, 418])
    def test_a_4xx_is_asked_once(self, people: PeopleDirectory, time: Time, client: MakeClient, status: int) -> None:
        people.control(status=status)
        with pytest.raises(DirectoryRefused, match=str(status)):
            client().find("ada@example.com")
        assert (people.served, time.sleeps) == (1, [])

    def test_a_wrong_key_is_asked_once(self, people: PeopleDirectory, time: Time, client: MakeClient) -> None:
        with pytest.raises(DirectoryRefused, match="401"):
            client(key="wrong").find("ada@example.com")
        assert people.served == 1

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_a_busy_server_is_asked_as_often_as_allowed(
        self, people: PeopleDirectory, time: Time, client: MakeClient, status: int
    ) -> None:
        people.control(status=status)
        with pytest.raises(DirectoryUnavailable, match=str(status)):
            client(max_attempts=4).find("ada@example.com")
        assert (people.served, len(time.sleeps)) == (4, 3)

    def test_a_blip_is_never_seen_by_the_caller(self, people: PeopleDirectory, time: Time, client: MakeClient) -> None:
        people.control(status=503, times=2)
        found = client().find("ada.lovelace@example.com")
        assert found is not None
        assert (found.display_name, found.company, people.served) == ("Ada Lovelace", "Example", 3)

    def test_a_server_that_is_not_there_is_asked_again_too(
        self, people: PeopleDirectory, time: Time, client: MakeClient
    ) -> None:
        gone = client()
        people.__exit__()
        with pytest.raises(DirectoryUnavailable, match="ConnectError"):
            gone.find("ada@example.com")
        assert len(time.sleeps) == 2

    def test_retry_after_is_honoured(self, people: PeopleDirectory, time: Time, client: MakeClient) -> None:
        people.control(status=503, retry_after=7, times=1)
        assert client().find("ada@example.com")
        assert time.sleeps == [7.0]

    def test_a_retry_after_past_the_budget_is_told_to_the_caller_at_once(
        self, people: PeopleDirectory, time: Time, client: MakeClient
    ) -> None:
        people.control(status=429, retry_after=600)
        with pytest.raises(DirectoryUnavailable) as refused:
            client().find("ada@example.com")
        assert (refused.value.retry_after, people.served, time.sleeps) == (600.0, 1, [])

    def test_an_open_breaker_ends_the_retrying(self, people: PeopleDirectory, time: Time, client: MakeClient) -> None:
        people.control(status=503)
        asking = client(threshold=2, max_attempts=10)
        with pytest.raises(DirectoryUnavailable, match="open"):
            asking.find("ada@example.com")
        assert (people.served, len(time.sleeps)) == (2, 2)
        with pytest.raises(DirectoryUnavailable, match="open"):
            asking.find("grace@example.com")
        assert (people.served, len(time.sleeps)) == (2, 2)


class TestItsBreaker:
    """What the client tells its circuit breaker, and is told by it."""

    def test_a_real_process_does_not_call_what_this_one_found_dead(self, processes: Processes) -> None:
        valkey = Valkey(settings.ENV.redis_url, timeout=1.0, prefix=settings.VALKEY_PREFIX)
        people = SharedCircuitBreaker("people", ValkeyState(valkey))
        with PeopleDirectory("test-key") as directory:

            def ask_once_it_is(state: str) -> subprocess.CompletedProcess[str]:
                environment = processes.environment() | {"EXTERNAL_API_URL": directory.url}
                command = [sys.executable, "-c", ASK, state]
                return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

            trip(people)
            refused = ask_once_it_is("open")
            assert "DirectoryUnavailable" in refused.stderr
            assert directory.served == 0
            assert processes.manage("breakers", "--reset", "people").returncode == 0
            assert people.current_state == CLOSED
            assert "FOUND Person(display_name='Ada'" in ask_once_it_is("closed").stdout
            assert directory.served == 1

    def test_the_callers_own_mistakes_do_not_count(self) -> None:
        breaker = fresh_breaker(failure_threshold=2, exclude=(DirectoryRefused,))
        with (
            PeopleDirectory("test-key") as directory,
            closing(PeopleClient(directory.url, "test-key", breaker, Retry(max_attempts=1))) as client,
        ):
            directory.control(status=422)
            for _ in range(5):
                with pytest.raises(DirectoryRefused):
                    client.find("ada@example.com")
            directory.control()
            assert client.find("unknown@example.com") is None
            assert breaker.current_state == CLOSED
            directory.control(status=500)
            for _ in range(3):
                with pytest.raises(DirectoryUnavailable):
                    client.find("ada@example.com")
            assert breaker.current_state == OPEN
            assert directory.served == 8

    def test_a_slow_drip_is_cut_off(self) -> None:
        breaker = fresh_breaker(call_timeout=0.3)
        with (
            dripping(10) as url,
            closing(PeopleClient(url, "test-key", breaker, Retry(max_attempts=1))) as client,
        ):
            start = clock.monotonic()
            with pytest.raises(DirectoryUnavailable):
                client.find("ada@example.com")
            assert 0.25 < clock.monotonic() - start < 1.5
