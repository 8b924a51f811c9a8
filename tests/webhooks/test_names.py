"""Looking hosts up: once for all who ask, bounded, and never in a transaction."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction

from apps.core.transactions import WaitsInTransaction
from apps.webhooks import names as module
from apps.webhooks.names import Busy, Names, literal


class NameServer:
    """Answers every name at once, but those that begin with "silent" when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = threading.Event()

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        if host.startswith("silent"):
            self.answer.wait(30)
        if host.startswith("unknown"):
            raise OSError("Name or service not known")
        return ["192.0.2.1"]


@pytest.fixture
def server() -> Iterator[NameServer]:
    """A name server; who still waits for it in the end is answered."""
    running = NameServer()
    yield running
    running.answer.set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let waits for a thread and for a name server end soon."""
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(module, "THREAD_SECONDS", 0.1)


def test_many_who_ask_for_one_host_share_one_look_up_and_its_answer_is_remembered(server: NameServer) -> None:
    names = Names(server)
    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(names.look_up, "silent.example.com") for _ in range(8)]
        server.answer.set()
        assert [one.result(10) for one in asking] == [["192.0.2.1"]] * 8
    assert names.look_up("silent.example.com") == ["192.0.2.1"]
    assert asyncio.run(names.find("silent.example.com")) == ["192.0.2.1"]
    assert server.asked == ["silent.example.com"]


def test_that_a_name_has_no_address_is_remembered_too_and_both_only_for_seconds(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(server)
    for _ in range(3):
        with pytest.raises(OSError, match="not known"):
            names.look_up("unknown.example.com")
    assert len(server.asked) == 1
    monkeypatch.setattr(module, "REMEMBERED_SECONDS", 0)
    names.look_up("a.example.com")
    names.look_up("a.example.com")
    assert server.asked[1:] == ["a.example.com"] * 2


@pytest.mark.usefixtures("impatient")
def test_silent_name_servers_leave_threads_for_the_others(server: NameServer) -> None:
    names = Names(server, threads=3, threads_for_silent=1)
    for number in range(2):
        with pytest.raises(OSError, match="no name server answered"):
            names.look_up(f"silent{number}.example.com")
    assert names.look_up("a.example.com") == ["192.0.2.1"]
    assert names.look_up("127.1") == ["127.0.0.1"]
    # a second caller starts no second look-up beside the one that hangs
    for _ in range(3):
        with pytest.raises(OSError, match="no name server answered"):
            asyncio.run(names.find("silent0.example.com"))
    assert sorted(server.asked) == ["a.example.com", "silent0.example.com", "silent1.example.com"]


@pytest.mark.usefixtures("impatient")
def test_names_that_kept_silent_once_have_few_threads_from_then_on(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_SECONDS", 0)
    names = Names(server, threads=2, threads_for_silent=1)
    for number in range(2):
        with pytest.raises(OSError, match="no name server answered"):
            names.look_up(f"silent{number}.example.com")
    server.answer.set()
    _until_all_landed(names)
    server.answer.clear()
    with pytest.raises(OSError, match="no name server answered"):
        names.look_up("silent0.example.com")
    with pytest.raises(Busy):
        names.look_up("silent1.example.com")
    assert names.look_up("a.example.com") == ["192.0.2.1"]


@pytest.mark.usefixtures("impatient")
def test_that_all_threads_are_taken_says_nothing_about_the_host(server: NameServer) -> None:
    names = Names(server, threads=1)
    with pytest.raises(OSError, match="no name server answered"):
        names.look_up("silent.example.com")
    with pytest.raises(Busy):
        names.look_up("a.example.com")
    with pytest.raises(Busy):
        asyncio.run(names.find("a.example.com"))
    server.answer.set()
    _until_all_landed(names)
    assert names.look_up("a.example.com") == ["192.0.2.1"]


def test_what_is_remembered_is_bounded(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 3)
    names = Names(server)
    for number in range(10):
        names.look_up(f"{number}.example.com")
    assert len(names._known) == 3


@pytest.mark.django_db
def test_in_a_transaction_only_what_is_known_is_answered(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(server)
    with transaction.atomic(), pytest.raises(WaitsInTransaction):
        names.look_up("a.example.com")
    assert server.asked == []
    monkeypatch.setattr(module, "REMEMBERED_SECONDS", -1)
    names.look_up("a.example.com")
    with transaction.atomic():
        # what was remembered is out of date by now
        assert names.look_up("a.example.com") == ["192.0.2.1"]
        assert names.look_up("127.0.0.1") == ["127.0.0.1"]
    assert server.asked == ["a.example.com"]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("::1", "::1"),
        ("::ffff:7f00:1", "::ffff:7f00:1"),
        ("a.example.com", None),
        ("4294967296", None),
        ("127.0.0.1.example.com", None),
    ],
)
def test_an_address_is_known_by_its_spelling(host: str, address: str | None) -> None:
    assert literal(host) == address


def _until_all_landed(names: Names) -> None:
    for flight in list(names._flying.values()):
        flight.future.exception(10)
