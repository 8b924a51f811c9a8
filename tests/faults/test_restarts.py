"""A deploy drops no request: workers reloaded, and servers replaced on the same port, under load."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from apps.users.models import User
from tests.processes import ROOT, Process, Processes
from tests.waiting import wait_for

KEPT, FRESH = 6, 6
BODY = '{{"email": "{}", "name": "Load"}}'


@dataclass
class Load:
    """Clients that register people as fast as they are answered, and what became of each request."""

    port: int
    outcomes: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Clients for the length of the block, some on connections that they keep and some on a new one each time."""
        threads = [
            threading.Thread(target=self._client, args=(f"{kind}-{number}", kind == "kept"))
            for kind, count in (("kept", KEPT), ("fresh", FRESH))
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def answered(self, more: int) -> None:
        """Wait until `more` further requests were answered."""
        goal = self.outcomes.total() + more
        wait_for(lambda: self.outcomes.total() >= goal, "requests are answered")

    def _client(self, name: str, keeps: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        number = 0
        while not self._stop.is_set():
            number += 1
            email = f"{name}-{number}@example.com"
            outcome = self._register(connection, email)
            self.outcomes[outcome] += 1
            if outcome == "201":
                self.accepted.append(email)
            if not keeps or outcome != "201":
                connection.close()
        connection.close()

    def _register(self, connection: http.client.HTTPConnection, email: str) -> str:
        try:
            connection.request(
                "POST", "/api/v1/users", BODY.format(email), headers={"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            answer.read()
            return str(answer.status)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket that no server owns, as systemd would hold it."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as held:
        yield held


def check(load: Load) -> None:
    """No request was dropped, and each that was answered 201 is there."""
    assert set(load.outcomes) == {"201"}, load.outcomes
    assert User.objects.filter(email__in=load.accepted).count() == len(load.accepted) > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_replaces_the_workers_and_no_request_is_dropped(processes: Processes, workers: int) -> None:
    web = processes.web(WEB_WORKERS=str(workers), WEB_THREADS="2")
    load = Load(int(web.url.rpartition(":")[2]))
    with load.running():
        load.answered(200)
        for _ in range(2):
            before = worker_pids(web)
            os.kill(web.popen.pid, signal.SIGHUP)
            wait_for(replaced(web, before, workers), "all workers are new ones")
            load.answered(200)
    check(load)


def test_a_new_server_takes_over_the_socket_and_no_request_is_dropped(
    processes: Processes, listener: socket.socket
) -> None:
    load = Load(listener.getsockname()[1])
    old = activated(processes, listener)
    with load.running():
        load.answered(200)
        for _ in range(2):
            new = activated(processes, listener)
            old.popen.send_signal(signal.SIGTERM)
            load.answered(200)
            assert old.popen.wait(20) == 0
            load.answered(200)
            old = new
    check(load)


def activated(processes: Processes, listener: socket.socket) -> Process:
    """A web server on a socket that it is given; ready."""
    script = f"exec {sys.executable} -m config.serve {{}}<&{listener.fileno()}".replace("{}", "3")
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
    wait_for(lambda: len(worker_pids(process)) == 1, f"it has a worker; see {log}")
    return process


def worker_pids(web: Process) -> set[int]:
    """The processes that answer requests: those with threads."""
    return {process.pid for process in web.tree()[:-1] if process.num_threads() > 2}


def replaced(web: Process, before: set[int], workers: int) -> Callable[[], bool]:
    """Whether as many workers run as there were, none of them from `before`."""
    return lambda: len(now := worker_pids(web)) == workers and not now & before
