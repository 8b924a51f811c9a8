"""The supervisor's side of the fork server (forkserver.py), which loads the service once for all that run it."""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO

from config.stack.child import Child, Process, Started, launched

LARGEST = 65_536
READY = b"ready\n"
ANSWERS_WITHIN = 10.0
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Request:
    """A program to run: the words of its command line, without the interpreter.

    `orphan_signal` is what it gets when its parent, the process `parent`, is gone; `drop` are descriptors that it must
    not hold. With the request come the descriptor that its output goes to and, if there is a guard, the guard's pipe.
    """

    words: list[str]
    title: str
    parent: int
    orphan_signal: int
    drop: list[int]

    def encoded(self) -> bytes:
        """The request as it is sent."""
        return json.dumps(asdict(self)).encode()


class ForkServer:
    """A running fork server: children that are `forked` come from it, once it has settled; the others are launched."""

    def __init__(self, child: Child, log: Path, guard: int, keep: tuple[int, ...]) -> None:
        adopt_orphans(adopt=True)
        log.unlink(missing_ok=True)
        self._log = log
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(ANSWERS_WITHIN)
        with theirs:
            self._process = Process(child, log, guard, keep, _ignore, partial(launched, stdin=theirs.fileno()))
        self.pid = self._process.pid
        self._ready = False

    def settled(self) -> bool:
        """Whether it has loaded the service, or has ended; never waits."""
        if not self._ready and select.select([self._ours], [], [], 0)[0]:
            with suppress(OSError):
                self._ready = self._ours.recv(len(READY)) == READY
        return self._ready or self.ended()

    def ended(self) -> bool:
        """Whether it has ended, for whatever reason."""
        return self._process.ended() is not None

    def problem(self) -> str:
        """What is wrong with the code, if that is why it has ended."""
        status = self._process.ended()
        return (self._log.read_text(errors="replace").strip() or f"status {status}") if status else ""

    def start(self, child: Child, output: int, guard: int, keep: tuple[int, ...]) -> Started:
        """Start `child`, as a fork if that can be; `keep` is what the server itself has got."""
        if not child.forked or child.environment != self._process.child.environment or not self._ready:
            return launched(child, output, guard, keep)
        reading, writing = os.pipe() if child.shown else (-1, os.dup(output))
        try:
            pid = self._fork(child, [writing, guard] if guard >= 0 else [writing])
        finally:
            os.close(writing)
        source = os.fdopen(reading, "rb") if child.shown else None
        if pid:
            return Forked(pid, source)
        if source:
            source.close()
        return launched(child, output, guard, keep)

    def end(self) -> None:
        """End it; its forks go on."""
        self._ready = False
        self._ours.close()
        self._process.kill_group()

    def _fork(self, child: Child, descriptors: list[int]) -> int | None:
        """The id of a fork that runs `child`; None if nobody answers, now and from now on."""
        request = Request(
            words=list(child.command[1:]),
            title=" ".join(child.command),
            parent=os.getpid(),
            orphan_signal=child.orphan_signal,
            drop=sorted(set(self._process.child.descriptors) - set(child.descriptors)),
        )
        with suppress(OSError):
            socket.send_fds(self._ours, [request.encoded()], descriptors)
            if answer := self._ours.recv(LARGEST):
                return int(answer)
        self.end()
        return None


class Forked:
    """A child that was forked for us."""

    def __init__(self, pid: int, stdout: IO[bytes] | None) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = None
        self.stdout = stdout
        self._status: int | None = None

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._look(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end; returns the exit status."""
        return self._look(0) or 0

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal; nothing happens once it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def _look(self, options: int) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, options)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status


def adopt_orphans(*, adopt: bool) -> None:
    """Be the parent, or no longer be it, of every process below this one whose own parent ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


def reap_orphans(children: Collection[int]) -> None:
    """Collect those that have ended and are not among `children`, the ids of this process's own."""
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid not in children:
            os.waitpid(ended.si_pid, 0)


def _ignore(_: str) -> None:
    """Nobody is shown what a fork server says."""
