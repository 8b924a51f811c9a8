"""Real processes of the service, against the test's own database and cache."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psutil

from config.stack.plan import QUEUES
from tests import forks, loopback
from tests.forks import Started
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Process:
    """A running process; its output, with its log lines, is in `log`."""

    popen: Started
    log: Path
    url: str = ""

    def kill(self) -> None:
        """SIGKILL to it and everything it started."""
        family = self.tree()
        with suppress(ProcessLookupError):
            # all at once: a server starts another worker if one dies first
            os.killpg(self.popen.pid, signal.SIGKILL)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.popen.wait()

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM; returns the exit status, or kills after `seconds`."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def ready(self, condition: Callable[[], object], what: str) -> Process:
        """Wait until `condition()` is true and return the process; fails the test at once if it ends before that."""
        wait_for(lambda: condition() or self.popen.poll() is not None, f"{what}; see {self.log}")
        if self.popen.poll() is not None:
            raise AssertionError(f"it ended before {what}:\n{self.log.read_text(errors='replace')[-2000:]}")
        return self

    def tree(self) -> list[psutil.Process]:
        """Its children first, itself last."""
        try:
            root = psutil.Process(self.popen.pid)
            return [*root.children(recursive=True), root]
        except psutil.NoSuchProcess:
            return []

    def workers(self) -> set[int]:
        """The ids of a web server's processes that answer requests, which are those with threads."""
        found = set()
        for child in self.tree()[:-1]:
            with suppress(psutil.NoSuchProcess):
                if child.num_threads() > 2:
                    found.add(child.pid)
        return found

    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines it has logged so far."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return [line for line in found if isinstance(line, dict)]


@dataclass
class Processes:
    """Starts processes of the service and ends them with the test."""

    folder: Path
    addresses: dict[str, str]
    started: list[Process] = field(default_factory=list)

    @property
    def mail(self) -> Path:
        """The folder that their mail goes to, one file for each."""
        return self.folder / "mail"

    def environment(self) -> dict[str, str]:
        """Settings of the processes: the addresses given, and a mail folder of their own."""
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "EMAIL_URL": f"filemail:///{self.mail}",
            "STATE_DIR": str(self.folder),
            "RATE_LIMIT_PER_MINUTE": "1000000",
            "PYTHONUNBUFFERED": "1",
            "REMAP_SIGTERM": "SIGQUIT",
            **self.addresses,
        }

    def manage(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a manage.py command to its end."""
        command = [sys.executable, "manage.py", *words]
        with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
            status = forks.start(command, self.environment() | env, output, errors).wait(60)
            for file in output, errors:
                file.seek(0)
            return subprocess.CompletedProcess(command, status, output.read(), errors.read())

    def relay(self, **env: str) -> Process:
        """A relay, started."""
        process = self.start("relay", [sys.executable, "manage.py", "relay"], env)
        return process.ready(
            lambda: any(line.get("event") == "relay_started" for line in process.lines()), "the relay runs"
        )

    def worker(self, queues: str = ",".join(QUEUES), concurrency: int = 4, **env: str) -> Process:
        """A Celery worker, ready."""
        command = [sys.executable, "-m", "celery", "--quiet", "-A", "config.celery", "worker", "-Q", queues]
        command += ["-c", str(concurrency), "-n", f"w{len(self.started)}@%h", "--without-gossip", "--without-mingle"]
        process = self.start("worker", command, env)
        return process.ready(lambda: "ready." in process.log.read_text(), "the worker is ready")

    def web(self, options: tuple[str, ...] = ("--preload",), /, **env: str) -> Process:
        """A web server, answering; its address is `url`. Without options its workers are no forks, as in production."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {"PORT": str(port), "HOST": "127.0.0.1", **env}
        process = self.start("web", [sys.executable, "-m", "config.server", *options], environment)
        process.url = f"http://127.0.0.1:{environment['PORT']}"
        return process.ready(lambda: loopback.answers(f"{process.url}/healthz", timeout=1), "the web server answers")

    def end(self) -> None:
        """Stop all of them, the last first."""
        for process in reversed(self.started):
            if process.popen.poll() is None:
                process.kill()

    def start(self, name: str, command: list[str], env: dict[str, str], *, forked: bool = True) -> Process:
        """Any program, just started, with these settings on top; `name` is its log's."""
        log = self.folder / f"{name}{len(self.started)}.log"
        with log.open("wb") as output:
            popen = forks.start(command, self.environment() | env, output, output, forked=forked)
        process = Process(popen, log)
        self.started.append(process)
        return process


def running(folder: Path, **addresses: str) -> Iterator[Processes]:
    """Processes for a fixture, which end with it; `addresses` are settings such as DATABASE_URL."""
    processes = Processes(folder, addresses)
    try:
        yield processes
    finally:
        processes.end()
