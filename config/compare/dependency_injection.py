"""Dependency injection: three tests of one function (found, directory away, found), and what each must replace for it.

The tests may neither wait nor reach a network. A name counts as needed if the tests fail without its patch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol
from unittest.mock import patch

import httpx
from django.conf import settings

from apps.core.bus import Bus, Query
from apps.core.parts import Parts
from config.compare.naive import dependency_injection
from config.compare.naive.circuit_breaker import CircuitBreaker
from config.compare.outcome import Comparison, Figures
from config.container import Container

TESTS = (False, True, False)
COMPANY = "Analytical Engines"


class Outside(Exception):
    """A test waited, or reached for the network."""


class FakeClient:
    """In place of the HTTP client."""

    def __init__(self, away: bool) -> None:
        self.away = away

    def get(self, path: str, params: dict[str, str]) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("away")
        return httpx.Response(200, json={"company": COMPANY})


class People(Protocol):
    """What the use case knows of the directory."""

    def find(self, email: str) -> Any: ...


class Directory:
    """The people directory, asked with the service's own breaker and retries."""

    def __init__(self, container: Container) -> None:
        self.breaker, self.retry = container.breaker("compared"), container.retry
        self.client = httpx.Client(base_url=dependency_injection.URL)

    def find(self, email: str) -> Any:
        return self.retry.call(self.breaker.call, self.client.get, "/people", params={"email": email}).json()


class FakePeople:
    """In place of the people directory."""

    def __init__(self, away: bool) -> None:
        self.away = away

    def find(self, email: str) -> Any:
        if self.away:
            raise ConnectionError("away")
        return {"company": COMPANY}


@dataclass(frozen=True)
class FindPerson(Query[Any]):
    """Who has this e-mail?"""

    email: str


class Composed(Parts):
    """A composition root of one part, on top of the service's own."""

    @cached_property
    def people(self) -> People:
        """The people directory."""
        return Directory(Container(settings.ENV))

    def wire(self, bus: Bus) -> None:
        """Register the handler."""
        bus.register(FindPerson, lambda query: self.people.find(query.email))


PATCHES: dict[str, Callable[[bool], Any]] = {
    "dependency_injection.get_client": lambda away: lambda: FakeClient(away),
    "dependency_injection.breaker": lambda away: CircuitBreaker(failure_threshold=3),
    "retry.time.sleep": lambda away: lambda seconds: None,
}

PARTS: dict[str, Callable[[bool], Any]] = {"people": FakePeople}


def naive() -> Figures:
    """Tests that patch the names in PATCHES, all of them or all but one."""
    needed = [name for name in PATCHES if _naive_tests_failed(without=name)]
    return {
        "tests": len(TESTS),
        "names_a_test_must_patch": len(needed),
        "parts_a_test_must_give": 0,
        "tests_failed": _naive_tests_failed(),
        "tests_broken_by_the_one_before": _naive_tests_failed(without="dependency_injection.breaker"),
    }


def ours() -> Figures:
    """Tests that give the container the parts in PARTS, and patch nothing."""
    failed = _our_tests_failed()
    needed = [name for name in PARTS if _our_tests_failed(without=name)]
    return {
        "tests": len(TESTS),
        "names_a_test_must_patch": 0,
        "parts_a_test_must_give": len(needed),
        "tests_failed": failed,
        "tests_broken_by_the_one_before": failed,
    }


def _our_tests_failed(without: str = "") -> int:
    failed = 0
    with _nothing_outside():
        for away in TESTS:
            own = Bus()
            given = {name: make(away) for name, make in PARTS.items() if name != without}
            Composed(**given).wire(own)
            failed += not _passes(partial(_find_person, own), away)
    return failed


def _find_person(own: Bus, email: str) -> Any:
    return own.ask(FindPerson(email))


def _naive_tests_failed(without: str = "") -> int:
    dependency_injection.breaker = CircuitBreaker(failure_threshold=3)
    failed = 0
    with _nothing_outside():
        for away in TESTS:
            with ExitStack() as patches:
                for name, make in PATCHES.items():
                    if name != without:
                        patches.enter_context(patch(f"config.compare.naive.{name}", make(away)))
                failed += not _passes(dependency_injection.find_person, away)
    return failed


def _passes(find: Callable[[str], Any], away: bool) -> bool:
    try:
        found = find("ada@example.com")["company"]
    except (httpx.ConnectError, ConnectionError):
        return away
    except Exception:  # a test that fails, for whatever reason
        return False
    return not away and found == COMPANY


@contextmanager
def _nothing_outside() -> Iterator[None]:
    def forbidden(*_: Any) -> None:
        raise Outside

    with (
        patch("time.sleep", forbidden),
        patch("socket.socket.connect", forbidden),
    ):
        yield


COMPARISON = Comparison(
    promise="A test gives a use case the part that it replaces; it need not know where the code gets its parts from.",
    headline="names_a_test_must_patch",
    naive=naive,
    ours=ours,
    kept=lambda naive, ours: (
        naive["names_a_test_must_patch"] == len(PATCHES)
        and naive["tests_broken_by_the_one_before"] > 0
        and naive["tests_failed"] == ours["tests_failed"] == 0
    ),
)
