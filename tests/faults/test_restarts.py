"""A deploy drops no request: workers reloaded, and servers replaced on the same port, under load."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from config.server.leaving import keep_out
from tests.faults.load import Load, check
from tests.processes import ROOT, Process, Processes
from tests.waiting import wait_for

# much less than a server that ends waits for it
MOMENT = 0.03
LONGEST_MOMENT, HELD_UP = 0.3, "held up"
# clients; even of a few, most have connected and not asked yet for most of the time
FEW, MANY = 4, 20


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket that no server owns, as systemd would hold it."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as held:
        yield held


def test_sighup_replaces_the_workers_and_no_request_is_dropped(processes: Processes) -> None:
    web = processes.web((), WEB_WORKERS="2", WEB_THREADS="2")
    load = Load(int(web.url.rpartition(":")[2]))
    with load.running(), slow_to_ask(load.port, FEW) as outcomes:
        load.answered(200)
        before = web.workers()
        os.kill(web.popen.pid, signal.SIGHUP)
        wait_for(replaced(web, before, 2), "all workers are new ones")
        load.answered(200)
    check(load)
    assert set(outcomes) == {"200"}


def test_a_new_server_takes_over_the_socket_and_no_request_is_dropped(
    processes: Processes, listener: socket.socket
) -> None:
    load = Load(listener.getsockname()[1])
    old = activated(processes, listener)
    with load.running(), slow_to_ask(load.port, FEW) as outcomes:
        load.answered(200)
        new = activated(processes, listener, "--preload", "--fd", str(listener.fileno()))
        old.popen.send_signal(signal.SIGTERM)
        load.answered(200)
        assert old.popen.wait(20) == 0
        load.answered(200)
        assert new.popen.poll() is None
    check(load)
    assert set(outcomes) == {"200"}


def test_a_server_that_ends_answers_everybody_who_has_connected(processes: Processes, listener: socket.socket) -> None:
    try:
        keep_out(listener)
    except OSError:
        pytest.skip("this kernel lets only root hold back new connections")
    web = processes.web(())
    with slow_to_ask(int(web.url.rpartition(":")[2]), MANY) as outcomes:
        wait_for(lambda: outcomes["200"] > 100, "requests are answered")
        assert web.stop(20) == 0
    assert set(outcomes) == {"200", "refused"}


@contextmanager
def slow_to_ask(port: int, clients: int) -> Iterator[Counter[str]]:
    """Clients that need a moment from each connection to its request, again and again; what became of the requests.

    Each ends when it is refused, or with the request that it is at when the block ends.
    """
    outcomes: Counter[str] = Counter()
    end = Event()

    def ask() -> None:
        outcome = ""
        while outcome != "refused" and not end.is_set():
            outcome = asked(port)
            outcomes[outcome] += 1

    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask) for _ in range(clients)]
        try:
            yield outcomes
        finally:
            end.set()
    assert [one.exception() for one in asking] == [None] * clients
    del outcomes[HELD_UP]


def asked(port: int) -> str:
    """The status of an answer to a client that needs a moment from its connection to its request; "refused" if so.

    HELD_UP if the machine made it a long moment, after which a server may cut it off.
    """
    begun = time.monotonic()
    try:
        client = socket.create_connection(("127.0.0.1", port), timeout=20)
    except ConnectionRefusedError:
        return "refused"
    with client:
        time.sleep(MOMENT)
        if time.monotonic() > begun + LONGEST_MOMENT:
            return HELD_UP
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return client.recv(12)[9:].decode() or "no answer"


def activated(processes: Processes, listener: socket.socket, *options: str) -> Process:
    """A web server on a socket that it is given, by `options` or else as systemd does it; ready."""
    command = [sys.executable, "-m", "config.server", *options]
    if not options:
        script = f"exec {shlex.join(command)} 3<&{listener.fileno()}"
        command = ["bash", "-c", f"export LISTEN_PID=$$ LISTEN_FDS=1; {script}"]
    log = processes.folder / f"activated{len(processes.started)}.log"
    with log.open("wb") as output:
        popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env=processes.environment() | {"WEB_THREADS": "2"},
            stdout=output,
            stderr=output,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    process = Process(popen, log)
    processes.started.append(process)
    wait_for(lambda: len(process.workers()) == 1, f"it has a worker; see {log}")
    return process


def replaced(web: Process, before: set[int], workers: int) -> Callable[[], bool]:
    """Whether as many workers run as there were, none of them from `before`."""
    return lambda: len(now := web.workers()) == workers and not now & before
