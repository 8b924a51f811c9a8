"""Circuit breaker: four processes call another machine that takes connections and never answers.

First each process makes its calls one after the other, each with a short time-out. Then, once the breakers may try
again, every process calls from ten threads at the same moment; the other side keeps them all until each of them has
either reached it or been refused. Nothing waits for that moment: the breakers' own clocks are put forward.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings

from apps.core.resilience.breaker_state import ValkeyState
from apps.core.resilience.circuit_breaker import CircuitOpen, SharedCircuitBreaker
from apps.core.resilience.valkey import Valkey
from config.compare.naive.circuit_breaker import CircuitBreaker, CircuitOpenError
from config.compare.outcome import Comparison, Figures
from config.compare.processes import FORK, SECONDS, Forked, wait_for
from config.compare.world import valkey

PROCESSES, CALLS, THREADS, THRESHOLD = 4, 10, 10, 3
CALL_SECONDS, RECOVERY_SECONDS = 0.1, 60.0
Call = Callable[[Callable[[], bytes]], bytes]
# how it calls, and what puts its clock forward
Caller = tuple[Call, Callable[[], None]]


class OtherSide:
    """A server that takes connections, counts them, and answers none."""

    def __init__(self) -> None:
        self.hits, self.refused = FORK.Value("i", 0), FORK.Value("i", 0)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._address = self._listening.getsockname()
        self._held: list[socket.socket] = []
        self._over = False

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Take connections while the block runs, and then close them all: whoever waits has failed."""
        threading.Thread(target=self._accept, daemon=True).start()
        yield
        self._over = True
        self._let_go()

    def ask(self, timeout: float) -> bytes:
        """Call it, as a client does. Raises TimeoutError, or ConnectionError once it lets go."""
        with socket.create_connection(self._address, timeout=SECONDS) as call:
            with self.hits.get_lock():
                self.hits.value += 1
            call.settimeout(timeout)
            answer = call.recv(1)
        if not answer:
            raise ConnectionError("closed without an answer")
        return answer

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._held.append(self._listening.accept()[0])
                if self._over:
                    self._let_go()

    def _let_go(self) -> None:
        for connection in self._held:
            connection.close()


def naive() -> Figures:
    """A breaker in each process, as a module-level object would be."""

    def make() -> Caller:
        breaker = CircuitBreaker(THRESHOLD, RECOVERY_SECONDS)

        def let_time_pass() -> None:
            breaker.last_failure_time -= RECOVERY_SECONDS

        return breaker.call, let_time_pass

    return _compare(make)


def ours() -> Figures:
    """The service's breaker in each process, their state in Valkey."""
    name = uuid.uuid4().hex

    def make() -> Caller:
        # a busy machine must not send the breaker to its fallback
        state = ValkeyState(Valkey(settings.ENV.redis_url, timeout=10.0))
        breaker = SharedCircuitBreaker(
            name,
            state,
            failure_threshold=THRESHOLD,
            recovery_timeout=RECOVERY_SECONDS,
            # how long a probe counts as under way
            call_timeout=SECONDS,
        )
        return breaker.call, lambda: None

    def let_time_pass() -> None:
        with valkey() as server:
            server.hincrby(f"breaker:{name}", "opened", -int(RECOVERY_SECONDS * 1000))

    return _compare(make, let_time_pass)


def _compare(make: Callable[[], Caller], let_time_pass: Callable[[], None] = lambda: None) -> Figures:
    other, first_part, second_part = OtherSide(), FORK.Barrier(PROCESSES + 1), FORK.Barrier(PROCESSES + 1)

    def work() -> float:
        call, let_my_time_pass = make()
        start = time.monotonic()
        for _ in range(CALLS):
            _try(call, lambda: other.ask(CALL_SECONDS), other.refused)
        waited = time.monotonic() - start
        first_part.wait(SECONDS)
        second_part.wait(SECONDS)
        let_my_time_pass()
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in range(THREADS):
                pool.submit(_try, call, lambda: other.ask(SECONDS), other.refused)
        return waited

    processes = [Forked(work) for _ in range(PROCESSES)]
    with other.serving():
        first_part.wait(SECONDS)
        hits, refused = other.hits.value, other.refused.value
        let_time_pass()
        second_part.wait(SECONDS)
        calls = PROCESSES * (CALLS + THREADS)
        wait_for(lambda: other.hits.value + other.refused.value == calls, "every call has come so far")
        probes = other.hits.value - hits
    waited = sum(process.answer() for process in processes)
    return {
        "calls_while_it_hung": PROCESSES * CALLS,
        "calls_that_hit_it": hits,
        "calls_refused_at_once": refused,
        "seconds_waited": round(waited, 1),
        "callers_at_half_open": PROCESSES * THREADS,
        "probes_at_half_open": probes,
    }


def _try(call: Call, ask: Callable[[], bytes], refused: Any) -> None:
    try:
        call(ask)
    except (CircuitOpen, CircuitOpenError):
        with refused.get_lock():
            refused.value += 1
    except (TimeoutError, ConnectionError):
        pass


COMPARISON = Comparison(
    promise="Once another machine hangs, few calls wait for it, whichever process makes them, and one tries it again.",
    headline="probes_at_half_open",
    naive=naive,
    ours=ours,
    kept=lambda naive, ours: (
        naive["calls_that_hit_it"] == PROCESSES * THRESHOLD > ours["calls_that_hit_it"]
        and naive["probes_at_half_open"] == PROCESSES * THREADS
        and ours["probes_at_half_open"] == 1
    ),
)
