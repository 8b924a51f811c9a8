"""Programs that tests start and end, and a check whether anything of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from config.stack.plan import ROOT
from tests.servers import DEFAULTS
from tests.waiting import wait_for


@dataclass
class Program:
    """A running program and the file that its output goes to."""

    popen: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        """All it has printed so far."""
        return self.log.read_text(errors="replace")

    def says(self, text: str, seconds: float = 120) -> None:
        """Wait until it has printed `text`."""

        def said() -> bool:
            assert self.popen.poll() is None or text in self.output(), f"it ended:\n{self.output()}"
            return text in self.output()

        wait_for(said, f"{text!r} in {self.log}", seconds)

    def family(self) -> list[psutil.Process]:
        """The program and everything it has started, directly or not."""
        root = psutil.Process(self.popen.pid)
        return [root, *root.children(recursive=True)]

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 15) -> int:
        """Send a signal and return the exit status."""
        self.popen.send_signal(number)
        return self.popen.wait(seconds)


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Program]:
    """Run `python ARGUMENTS` in the project; whatever is left of it at the end is killed."""
    log = folder / f"{len(list(folder.glob('*.out')))}.out"
    command = [sys.executable, *arguments]
    with log.open("wb") as output:
        popen = subprocess.Popen(command, cwd=ROOT, env=clean(environment), stdout=output, stderr=output)
    program = Program(popen, log)
    family: list[psutil.Process] = []
    try:
        yield program
    finally:
        if popen.poll() is None:
            family = program.family()
        kill(family)
        popen.wait()


def clean(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment without what this test run has put there for itself."""
    own = {*DEFAULTS, "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    return {name: value for name, value in os.environ.items() if name not in own} | dict(extra)


def kill(processes: list[psutil.Process]) -> None:
    """SIGKILL them all."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that run; a zombie does not count."""
    alive = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
    return alive


def all_gone(processes: list[psutil.Process], seconds: float = 10) -> None:
    """Wait until none of them runs."""
    wait_for(lambda: not living(processes), f"these are gone: {processes}", seconds)


def said_in_time(commands: list[str], text: str) -> None:
    """Run the commands until they print `text`: a machine with other things to do takes longer than they wait."""
    command = ["sh", "-c", "\n".join(commands)]
    wait_for(
        lambda: (
            text in subprocess.run(command, cwd=ROOT, env=clean({}), capture_output=True, text=True, check=True).stdout
        ),
        text,
    )
