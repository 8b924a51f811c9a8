"""Starts programs of the service as forks of one process that has imported the libraries: a fifth of the time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Protocol

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 2**20
LOOK_SECONDS = 0.01
# what the interpreter reads at its start; and tests, their tools, and what reads the environment when it is imported
INTERPRETER = "PYTHON"
OURS = {name: os.environ[name] for name in os.environ if name.startswith(("PATH", INTERPRETER))} | {
    "PYTHONUNBUFFERED": "1"
}
LEFT_OUT = (
    *("apps", "config", "tests", "pytest", "_pytest", "xdist", "execnet", "hypothesis", "selenium", "__main__"),
    *("opentelemetry", "test_", "conftest"),
)
# what no test has imported, but workers and commands do
MORE = ("granian", "celery.apps.worker", "celery.apps.beat", "celery.bin.celery", "celery.concurrency.prefork")


class Started(Protocol):
    """What tests need of a started process."""

    pid: int
    args: Any
    returncode: Any

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit status. Raises `subprocess.TimeoutExpired`."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal; nothing happens once it has ended."""

    def kill(self) -> None:
        """Send it SIGKILL."""


class Forked:
    """A fork, as much like `subprocess.Popen` as tests need."""

    def __init__(self, server: ForkServer, pid: int, args: Sequence[str]) -> None:
        self._server, self.pid, self.args = server, pid, args
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        with self._lock:
            if self.returncode is None:
                self.returncode = self._server.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit status. Raises `subprocess.TimeoutExpired`."""
        until = time.monotonic() + (timeout or float("inf"))
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(LOOK_SECONDS)
        return status

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal; nothing happens once it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process that forks. It ends with this one, even if that is killed, and ends every fork that is left."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            command = [sys.executable, "-m", "tests.forkserver"]
            self._process = subprocess.Popen(command, cwd=ROOT, env=OURS, stdin=theirs.fileno(), start_new_session=True)
        names = [name for name in sys.modules if not name.startswith(LEFT_OUT)]
        self._ours.sendall(json.dumps([*names, *MORE]).encode())
        assert self._ours.recv(LARGEST) == b"ready"

    def ask(self, request: Mapping[str, Any], outputs: Sequence[int] = ()) -> Any:
        """Send a request, with the descriptors for its output; returns the answer."""
        with self._lock:
            socket.send_fds(self._ours, [json.dumps(request).encode()], outputs)
            return json.loads(self._ours.recv(LARGEST))

    def end(self) -> None:
        """End it, and every fork that is left."""
        self._ours.close()
        self._process.wait()


@cache
def server() -> ForkServer:
    """The one of this process."""
    return ForkServer()


def end() -> None:
    """End the one of this process, if there is one."""
    if server.cache_info().currsize:
        server().end()


def start(
    command: Sequence[str], environment: dict[str, str], stdout: IO[Any], stderr: IO[Any], *, forked: bool = True
) -> Started:
    """Start a program in the root of the project, in a session of its own; a fork, if it is one of Python."""
    interpreter, *words = command
    told = {name: value for name, value in environment.items() if name.startswith(INTERPRETER)}
    if not forked or interpreter != sys.executable or sys.platform != "linux" or not told.items() <= OURS.items():
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=stdout, stderr=stderr, start_new_session=True
        )
    request = {"words": words, "environment": dict(environment)}
    pid = server().ask(request, [stdout.fileno(), stderr.fileno()])
    return Forked(server(), pid, command)
