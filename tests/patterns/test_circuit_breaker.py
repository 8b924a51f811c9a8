"""Circuit breaker: without it every process runs into a dead service by itself, and all of them rush back at once."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest
import redis
from django.conf import settings
from structlog.testing import capture_logs

from apps.core.resilience.breaker_state import CLOSED, HALF_OPEN, OPEN, ValkeyState
from apps.core.resilience.circuit_breaker import CircuitOpen, SharedCircuitBreaker
from apps.core.resilience.transport import DeadlineTransport
from apps.core.resilience.valkey import Valkey
from tests import loopback
from tests.breakers import fail, fresh_breaker, trip
from tests.core.racing import at_once
from tests.processes import ROOT, Processes
from tests.waiting import wait_for

CLOSED_PORT = "redis://127.0.0.1:1/0"
# on a busy machine a new process's first look at Valkey may take longer than the service waits for it
CALL = """
import sys, time
import django; django.setup()
from django.conf import settings
from config.container import Container
shared, until = Container(settings.ENV).breaker("shared"), time.monotonic() + 20
while shared.current_state != sys.argv[1] and time.monotonic() < until:
    time.sleep(0.1)
print(shared.call(lambda: "CALLED"))
"""


def twin(breaker: SharedCircuitBreaker) -> SharedCircuitBreaker:
    """The same breaker as in another process: the same name, over a connection of its own."""
    valkey = Valkey(settings.ENV.redis_url, timeout=1.0)
    return SharedCircuitBreaker(breaker.name, ValkeyState(valkey), failure_threshold=breaker.failure_threshold)


def let_recovery_time_pass(breaker: SharedCircuitBreaker, valkey: redis.Redis) -> None:
    """Make the breaker open long ago, and end a probe's lease, as time would."""
    valkey.hset(f"breaker:{breaker.name}", mapping={"opened": 0, "leased_until": 0})


class Calls:
    """Counts calls, which answer once they are released."""

    def __init__(self) -> None:
        self.count = 0
        self.let_go = threading.Event()

    def __call__(self) -> str:
        self.count += 1
        self.let_go.wait(30)
        return "answer"


class TestShared:
    """What one process learns, all of them know."""

    def test_opened_by_one_it_is_open_for_the_other(self) -> None:
        breaker, calls = fresh_breaker(), Calls()
        other = twin(breaker)
        trip(breaker)
        with pytest.raises(CircuitOpen) as refused:
            other.call(calls)
        assert calls.count == 0, "an open breaker calls nothing"
        assert 29 < refused.value.retry_after <= 30

    def test_failures_in_several_processes_add_up(self) -> None:
        breaker = fresh_breaker(failure_threshold=4)
        other = twin(breaker)
        trip(breaker, 2)
        trip(other, 1)
        assert (breaker.current_state, other.current_state) == (CLOSED, CLOSED)
        trip(other, 1)
        assert (breaker.current_state, other.current_state) == (OPEN, OPEN)

    def test_a_real_process_does_not_call_what_this_one_found_dead(self, processes: Processes) -> None:
        valkey = Valkey(settings.ENV.redis_url, timeout=1.0, prefix=settings.VALKEY_PREFIX)
        shared = SharedCircuitBreaker("shared", ValkeyState(valkey))

        def call_once_it_is(state: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", CALL, state]
            environment = processes.environment()
            return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

        trip(shared)
        refused = call_once_it_is("open")
        assert "CircuitOpen" in refused.stderr
        assert "CALLED" not in refused.stdout
        shared.reset()
        assert "CALLED" in call_once_it_is("closed").stdout


class TestHalfOpen:
    """The way back is tried by one, not by all."""

    def test_one_of_twenty_callers_in_two_processes_probes(self, valkey: redis.Redis) -> None:
        breaker, calls = fresh_breaker(), Calls()
        pair = [breaker, twin(breaker)]
        trip(breaker)
        let_recovery_time_pass(breaker, valkey)
        refused: list[CircuitOpen] = []

        def rush(number: int) -> str | None:
            try:
                return pair[number % 2].call(calls)
            except CircuitOpen as error:
                refused.append(error)
                if len(refused) == 19:
                    calls.let_go.set()
                return None

        answers = at_once(20, rush)
        assert calls.count == 1
        assert sorted(map(str, answers)) == ["None"] * 19 + ["answer"]
        assert pair[0].current_state == pair[1].current_state == CLOSED

    def test_a_failed_probe_opens_it_for_another_while(self, valkey: redis.Redis) -> None:
        breaker = fresh_breaker()
        trip(breaker)
        let_recovery_time_pass(breaker, valkey)
        trip(breaker, 1)
        assert breaker.current_state == OPEN
        with pytest.raises(CircuitOpen):
            breaker.call(Calls())

    def test_a_probe_that_never_came_back_does_not_block_the_way_for_ever(self, valkey: redis.Redis) -> None:
        breaker = fresh_breaker()
        trip(breaker)
        let_recovery_time_pass(breaker, valkey)
        assert breaker.state.admit(breaker.name, 30_000, 6_000, "of a process that was killed").admitted
        assert breaker.current_state == HALF_OPEN
        with pytest.raises(CircuitOpen):
            breaker.call(lambda: None)
        let_recovery_time_pass(breaker, valkey)
        breaker.call(lambda: None)
        assert breaker.current_state == CLOSED

    def test_a_late_answer_of_an_old_probe_decides_nothing(self, valkey: redis.Redis) -> None:
        breaker = fresh_breaker()
        trip(breaker)
        for token in ("old", "new"):
            let_recovery_time_pass(breaker, valkey)
            assert breaker.state.admit(breaker.name, 30_000, 6_000, token).admitted
        breaker.state.succeeded(breaker.name, "old")
        assert breaker.current_state == HALF_OPEN
        breaker.state.failed(breaker.name, 5, "old")
        assert breaker.current_state == HALF_OPEN
        breaker.state.succeeded(breaker.name, "new")
        assert breaker.current_state == CLOSED


class TestWhatCounts:
    """Only errors which show that the other side is broken."""

    def test_a_success_starts_the_count_anew(self) -> None:
        breaker = fresh_breaker(failure_threshold=3)
        for _ in range(4):
            trip(breaker, 2)
            breaker.call(lambda: None)
        assert breaker.current_state == CLOSED

    def test_the_callers_own_mistakes_do_not_count(self) -> None:
        breaker = fresh_breaker(failure_threshold=2, exclude=(ValueError,))

        def refuse() -> None:
            raise ValueError("the request is wrong")

        for _ in range(5):
            with pytest.raises(ValueError, match="wrong"):
                breaker.call(refuse)
        assert breaker.current_state == CLOSED
        trip(breaker, 2)
        assert breaker.current_state == OPEN

    def test_every_change_is_in_the_log(self, valkey: redis.Redis) -> None:
        breaker = fresh_breaker()
        with capture_logs() as lines:
            trip(breaker)
            let_recovery_time_pass(breaker, valkey)
            breaker.call(lambda: None)
        changes = [(line["before"], line["after"]) for line in lines if line["event"] == "breaker_state"]
        assert changes == [(CLOSED, OPEN), (OPEN, HALF_OPEN), (HALF_OPEN, CLOSED)]


@contextmanager
def dripping(seconds: float) -> Iterator[str]:
    """A server that sends its answer a byte every 50 ms, for `seconds`."""
    done = threading.Event()

    def drip(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer, suppress(OSError):
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            until = time.monotonic() + seconds
            while time.monotonic() < until and not done.wait(0.05):
                peer.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=[listener], daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        done.set()
        thread.join(10)


class TestCallTimeout:
    """A call ends in time whatever the other side does."""

    def test_a_slow_drip_is_cut_off(self) -> None:
        breaker = fresh_breaker(call_timeout=0.3)
        with dripping(10) as url, httpx.Client(transport=DeadlineTransport()) as client:
            start = time.monotonic()
            with pytest.raises(httpx.TimeoutException):
                breaker.call(client.get, url)
            assert 0.25 < time.monotonic() - start < 1.5

    def test_the_http_clients_own_timeout_would_not_have_ended_it(self) -> None:
        with dripping(1.0) as url:
            start = time.monotonic()
            with pytest.raises(httpx.RemoteProtocolError):
                loopback.get(url, timeout=0.3)
            assert time.monotonic() - start > 0.9


class TestValkeyAway:
    """The breaker's own store is down."""

    def test_it_works_for_this_process(self) -> None:
        breaker = SharedCircuitBreaker("alone", ValkeyState(Valkey(CLOSED_PORT)), recovery_timeout=0.05)
        calls = Calls()
        calls.let_go.set()
        assert breaker.call(calls) == "answer"
        trip(breaker)
        with pytest.raises(CircuitOpen):
            breaker.call(calls)
        assert calls.count == 1
        assert wait_for(lambda: _answer(breaker, calls), "the recovery time-out has passed", 5) == "answer"
        assert breaker.current_state == CLOSED

    def test_a_store_that_is_wiped_forgets_and_nothing_worse(self, valkey: redis.Redis) -> None:
        breaker = fresh_breaker()
        trip(breaker)
        valkey.flushdb()
        valkey.script_flush()
        assert breaker.call(lambda: "answer") == "answer"
        trip(breaker)
        assert breaker.current_state == OPEN


def _answer(breaker: SharedCircuitBreaker, calls: Calls) -> str | None:
    try:
        return breaker.call(calls)
    except CircuitOpen:
        return None


class TestCalling:
    """`with breaker.calling():` learns from the block as `call` does from a function."""

    def test_a_block_that_fails_counts_as_a_failure(self) -> None:
        breaker = fresh_breaker(failure_threshold=2)
        for _ in range(2):
            with pytest.raises(ConnectionError), breaker.calling():
                fail()
        assert breaker.current_state == OPEN
        entered = False
        with pytest.raises(CircuitOpen), breaker.calling():
            entered = True
        assert not entered, "an open breaker does not run the block"

    def test_a_block_that_succeeds_starts_the_count_anew(self) -> None:
        breaker = fresh_breaker(failure_threshold=2)
        trip(breaker, 1)
        with breaker.calling():
            pass
        trip(breaker, 1)
        assert breaker.current_state == CLOSED

    def test_it_offers_nothing_that_acts_on_a_state_of_its_own(self) -> None:
        """pybreaker's own open(), close() and half_open() would change an unused state of this process."""
        breaker = fresh_breaker()
        assert [name for name in ("open", "close", "half_open", "call_async") if hasattr(breaker, name)] == []
