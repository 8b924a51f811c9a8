"""Host names and their addresses: one look-up of a host at a time, shared by all who ask, remembered for seconds.

The system's resolver blocks for as long as a name server does not answer, so it runs in threads. Names whose server
did not answer last time have a few threads of their own: however many there are, the others go on.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from apps.core.transactions import WaitsInTransaction, in_transaction

Resolver = Callable[[str], list[str]]
THREADS = 48
THREADS_FOR_SILENT = 8
# how long a name server may take, and how long a look-up may wait for a thread of ours
ANSWER_SECONDS = 5.0
THREAD_SECONDS = 2.0
REMEMBERED_SECONDS = 10.0
MOST_REMEMBERED = 2000
MOST_IN_FLIGHT = 2000


class Busy(Exception):
    """All threads are taken, so no name server was asked; that says nothing about the host."""


def system_resolver(host: str) -> list[str]:
    """The addresses of `host` as the system knows them. Raises OSError if there are none."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def literal(host: str) -> str | None:
    """The address that `host` spells, odd spellings included (127.1, 0x7f.1, 2130706433); None if it is a name."""
    text = host.rstrip(".")
    with suppress(ValueError):
        ipaddress.ip_address(text)
        return text
    with suppress(OSError, ValueError):
        # as the system's resolver would read it, without asking a server
        return socket.inet_ntoa(socket.inet_aton(text))
    return None


def host_of(url: str) -> str:
    """The host of `url`, without what may be secret; "" if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


@dataclass
class Known:
    """What is known of a host: its addresses or why there are none, until when, and if its server was silent."""

    until: float
    addresses: list[str] = field(default_factory=list)
    error: str = ""
    silent: bool = False


@dataclass(eq=False)
class Flight:
    """A look-up under way; `began` is None while it waits for a thread."""

    host: str
    future: Future[list[str]] = field(default_factory=Future)
    began: float | None = None


class Lane:
    """Threads that look names up, at most `threads` of them, and what waits for one; a thread ends if nothing does."""

    def __init__(self, threads: int) -> None:
        self.free = threads
        self.waiting: deque[Flight] = deque()


class Names:
    """Finds the addresses of hosts; `ask` blocks, and raises OSError or UnicodeError if there are none."""

    def __init__(
        self, ask: Resolver = system_resolver, *, threads: int = THREADS, threads_for_silent: int = THREADS_FOR_SILENT
    ) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._flying: dict[str, Flight] = {}
        self._lane, self._silent_lane = Lane(threads), Lane(threads_for_silent)

    def look_up(self, host: str) -> list[str]:
        """The addresses of `host`. Raises OSError if there are none, Busy if no thread was free.

        Waits for some seconds at most, and not at all inside a transaction: there it answers from an
        earlier look-up, and raises WaitsInTransaction if there was none.
        """
        inside = in_transaction()
        found = self._remembered(host, though_old=inside)
        if isinstance(found, list):
            return found
        if inside:
            raise Busy if found else WaitsInTransaction("look the host up before the transaction begins")
        flight = found or self._begin(host)
        with suppress(NotInTime):
            return flight.future.result(THREAD_SECONDS)
        self._refuse_unasked(flight)
        with suppress(NotInTime):
            return flight.future.result(self._left(flight))
        raise self._too_late(flight)

    async def find(self, host: str) -> list[str]:
        """Like `look_up`, for an event loop, which goes on meanwhile."""
        found = self._remembered(host)
        if isinstance(found, list):
            return found
        flight = found or self._begin(host)
        landed = _landed(flight.future)
        if not await _within(landed, THREAD_SECONDS):
            self._refuse_unasked(flight)
            if not await _within(landed, self._left(flight)):
                raise self._too_late(flight)
        return flight.future.result()

    def _remembered(self, host: str, *, though_old: bool = False) -> list[str] | Flight | None:
        """What is known, or else the look-up under way. Raises OSError if it is known that there are none."""
        address = literal(host)
        if address is not None:
            return [address]
        with self._lock:
            known = self._known.get(host)
            if known is not None and (though_old or known.until > time.monotonic()):
                if known.error:
                    raise OSError(known.error)
                return known.addresses
            return self._flying.get(host)

    def _begin(self, host: str) -> Flight:
        with self._lock:
            if flight := self._flying.get(host):
                return flight
            if len(self._flying) >= MOST_IN_FLIGHT:
                raise Busy
            known = self._known.get(host)
            lane = self._silent_lane if known is not None and known.silent else self._lane
            flight = self._flying[host] = Flight(host)
            lane.waiting.append(flight)
            if lane.free:
                # a daemon: a resolver that hangs must not hold up the exit
                threading.Thread(target=self._work, args=(lane,), name="resolve", daemon=True).start()
                lane.free -= 1
            return flight

    def _work(self, lane: Lane) -> None:
        while True:
            with self._lock:
                if not lane.waiting:
                    lane.free += 1
                    return
                flight = lane.waiting.popleft()
                flight.began = time.monotonic()
            try:
                known = Known(0.0, self._ask(flight.host))
            except (OSError, UnicodeError) as error:
                known = Known(0.0, error=str(error) or type(error).__name__)
            except Exception as error:  # one odd name must not cost a thread, or leave its caller without an answer
                known = Known(0.0, error=type(error).__name__)
            self._land(flight, known)

    def _land(self, flight: Flight, known: Known) -> None:
        known.silent = self._left(flight) <= 0
        with self._lock:
            self._remember(flight.host, known)
            self._flying.pop(flight.host, None)
        if known.error:
            flight.future.set_exception(OSError(known.error))
        else:
            flight.future.set_result(known.addresses)

    def _remember(self, host: str, known: Known) -> None:
        known.until = time.monotonic() + REMEMBERED_SECONDS
        self._known[host] = known
        self._known.move_to_end(host)
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)

    @staticmethod
    def _left(flight: Flight) -> float:
        """Seconds that the name server still has to answer; 0 if none are left."""
        return max(ANSWER_SECONDS - (time.monotonic() - (flight.began or time.monotonic())), 0.0)

    @staticmethod
    def _refuse_unasked(flight: Flight) -> None:
        if flight.began is None:
            raise Busy

    def _too_late(self, flight: Flight) -> OSError:
        known = Known(0.0, error=f"no name server answered within {ANSWER_SECONDS:.0f} s", silent=True)
        with self._lock:
            if flight.host in self._flying:
                self._remember(flight.host, known)
        return OSError(known.error)


def _landed(future: Future[list[str]]) -> asyncio.Future[None]:
    """A future of the running loop that is done when `future` is; the loop may be closed by then."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def wake(_: Future[list[str]]) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell)

    future.add_done_callback(wake)
    return waiter


async def _within(waiter: asyncio.Future[None], seconds: float) -> bool:
    done, _ = await asyncio.wait([waiter], timeout=seconds)
    return bool(done)
