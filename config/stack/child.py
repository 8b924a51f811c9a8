"""One process that is tied to the supervisor: what it is, how it is started and how it is ended."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from subprocess import DEVNULL, PIPE, STDOUT
from typing import IO, Literal, Protocol

from config.stack.console import plain

Identity = Literal["same", "nobody"]
LAUNCHER = Path(__file__).parents[1] / "server" / "launch.py"


@dataclass(frozen=True, kw_only=True)
class Child:
    """What to run.

    `stop` lists the signals of an orderly end, each with the seconds it may take; SIGKILL for the group follows.
    `orphan_signal` is the signal it gets when the supervisor itself is killed. Tiers stop one after the other, highest
    first; the children of one tier stop together. `shown` sends its lines to the terminal, too, but for those in which
    `unshown` is found. `input` is what it
    reads from standard input, which is where secrets go: every account sees command lines. It starts in `folder`,
    which its `identity` need not be able to reach by path. It inherits `descriptors`, under the same numbers. If it is
    `forked`, it runs the service, and may be a fork of the process that has loaded that in the same environment.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    stop: tuple[tuple[Signals, float], ...] = ((SIGTERM, 6.0),)
    orphan_signal: Signals = SIGTERM
    identity: Identity = "same"
    tier: int = 1
    shown: bool = False
    unshown: re.Pattern[str] | None = None
    input: str = field(default="", repr=False)
    folder: Path | None = None
    descriptors: tuple[int, ...] = ()
    forked: bool = False

    def leaves_out(self, line: str) -> bool:
        """Whether the terminal does not show this line of it."""
        return self.unshown is not None and self.unshown.search(plain(line)) is not None


class Started(Protocol):
    """What is needed of a started process; `subprocess.Popen` has it."""

    pid: int
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""

    def wait(self) -> int:
        """Wait for its end; returns the exit status."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal; nothing happens once it has ended."""


def launched(child: Child, output: int, guard: int, keep: tuple[int, ...], stdin: int = DEVNULL) -> Started:
    """Start the child by the launcher; its lines go to `output`, if they are not shown."""
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(guard)]
    launcher += [str(int(child.orphan_signal)), child.identity]
    return subprocess.Popen(
        [*launcher, *child.command],
        env=dict(child.environment),
        cwd=child.folder,
        stdin=PIPE if child.input else stdin,
        stdout=PIPE if child.shown else output,
        stderr=STDOUT,
        process_group=0,
        pass_fds=(*keep, *child.descriptors, *([guard] if guard >= 0 else [])),
    )


Start = Callable[[Child, int, int, tuple[int, ...]], Started]


class Process:
    """A started `Child`: the leader of a process group of its own.

    Start it from a thread that lives as long as the program: Linux counts the end of that thread as the parent's death.
    """

    def __init__(
        self,
        child: Child,
        log: Path,
        guard: int,
        keep: tuple[int, ...],
        show: Callable[[str], None],
        start: Start = launched,
    ) -> None:
        """`guard` is the guard's pipe (-1: none), `keep` descriptors the child inherits, `show` takes its lines."""
        self.child = child
        self.started = time.monotonic()
        self._ending: list[tuple[float, Signals]] | None = None
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as file:
            self._popen = start(child, file.fileno(), guard, keep)
        self.pid = self._popen.pid
        if self._popen.stdin:
            # short enough for the pipe to take it at once, whether it is read or not
            with contextlib.suppress(BrokenPipeError), self._popen.stdin as pipe:
                pipe.write(child.input.encode())
        if source := self._popen.stdout:
            threading.Thread(target=_pump, args=(source, log, show), name=f"{child.name} lines", daemon=True).start()

    def ended(self) -> int | None:
        """The exit status (negative: the signal that ended it), or None while it runs."""
        return self._popen.poll()

    def signal(self, number: Signals) -> None:
        """Send a signal to the process, not to its group; nothing happens once it has ended."""
        self._popen.send_signal(number)

    def end(self) -> None:
        """Send the signals of an orderly end that are due: the first now, and the others if it is called again."""
        if self._ending is None:
            self._ending = list(_schedule(self.child, time.monotonic()))
        while self._ending and self._ending[0][0] <= time.monotonic():
            number = self._ending.pop(0)[1]
            if number == SIGKILL:
                self.kill_group()
            else:
                self.signal(number)

    def kill_group(self) -> None:
        """SIGKILL whatever is left of its process group, and collect the process itself."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, SIGKILL)
        self._popen.wait()


def _schedule(child: Child, now: float) -> Iterator[tuple[float, Signals]]:
    """Which signals a child gets, and when, if its end begins `now`."""
    for number, patience in child.stop:
        yield now, number
        now += patience
    yield now, SIGKILL


def _pump(source: IO[bytes], log: Path, show: Callable[[str], None]) -> None:
    with source, open(log, "a", encoding="utf-8") as file:
        for raw in source:
            line = raw.decode(errors="replace").rstrip("\r\n")
            with contextlib.suppress(OSError):
                # a full disk must not stop the reading, or the child would stop at its next line
                file.write(plain(line) + "\n")
                file.flush()
            if line:
                show(line)
