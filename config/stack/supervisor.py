"""Keeps processes running, and leaves none behind however it ends itself."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM, Signals
from types import TracebackType

from config.stack.child import Child, Process, Start, launched
from config.stack.console import Console
from config.stack.forks import ForkServer, adopt_orphans, reap_orphans

GUARD = Path(__file__).with_name("guard.py")
FIRST_DELAY, LONGEST_DELAY = 0.2, 15.0
LONG_ENOUGH = 10.0
TICK = 0.05


class Interrupted(Exception):
    """Someone asked the supervisor to stop while it was waiting for something."""


@dataclass(frozen=True)
class Outcome:
    """How a child that ran once ended: its exit status and all it printed."""

    status: int
    output: str


class _Slot:
    """A child's place: its process, or the moment at which the next one is due."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.process: Process | None = None
        self.leaving = False
        self.failures = 0
        self.due = 0.0

    def delay(self, ran: float) -> float:
        """Seconds to wait before the next start, after a process that ran for `ran` seconds."""
        self.failures = 1 if ran >= LONG_ENOUGH else self.failures + 1
        return float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self.failures - 1)))


class Supervisor:
    """Starts children and, whenever `tick` finds one dead, starts it again: after 0.2 s, doubling up to 15 s.

    Use it as a context manager and call it from one thread. `logs` gets a file for each child, `keep` are
    descriptors (a lock, say) that every child holds open until it has really ended. Setting the event `stopping`,
    in a signal handler say, makes methods that wait raise `Interrupted`. The folder `discard` is removed in the end.
    """

    def __init__(
        self,
        logs: Path,
        console: Console | None = None,
        keep: tuple[int, ...] = (),
        stopping: threading.Event | None = None,
        discard: Path | None = None,
    ) -> None:
        self.stopping = stopping or threading.Event()
        self._logs = logs
        self._console = console
        self._keep = keep
        self._discard = [str(discard)] if discard else []
        self._slots: dict[str, _Slot] = {}
        self._once: Process | None = None
        self._servers: list[ForkServer] = []
        self._start: Start = launched
        # of a run that was killed: somebody else may have these numbers now
        for left in logs.glob("*.pid"):
            left.unlink(missing_ok=True)
        self._guard = self._start_guard()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, child: Child) -> None:
        """Start `child` and keep it running until `stop`."""
        log = self.log(child.name)
        if log.exists():
            # one earlier run is worth keeping, all of them would fill the disk
            log.replace(log.with_suffix(".log.1"))
        self._slots[child.name] = _Slot(child)
        self._spawn(self._slots[child.name])

    def load(self, child: Child) -> ForkServer:
        """Start a fork server. Children that are forked come from it once it has settled and `fork_from` takes it."""
        server = ForkServer(child, self.log(child.name), self._guard_pipe(), self._keep)
        self._servers.append(server)
        return server

    def fork_from(self, server: ForkServer) -> None:
        """Start children as forks of this server from now on; no other is needed any more."""
        self._start = server.start
        for other in [one for one in self._servers if one is not server]:
            self.unload(other)

    def unload(self, server: ForkServer) -> None:
        """End a fork server; its forks go on."""
        self._servers.remove(server)
        server.end()
        self._tell_guard(server.pid, 0)

    def replace(self, *names: str) -> None:
        """Have `tick` end these children in order and start each again at once, without calling it a failure."""
        for slot in map(self._slots.__getitem__, names):
            slot.leaving, slot.failures, slot.due = True, 0, 0.0

    def replacing(self) -> bool:
        """Whether a child that is to be replaced has not been yet."""
        return any(slot.leaving for slot in self._slots.values())

    def log(self, name: str) -> Path:
        """The file that a child's lines go to."""
        return self._logs / f"{name}.log"

    def pids(self) -> dict[str, int]:
        """The process ids of the children that are running, by name."""
        return {name: slot.process.pid for name, slot in self._slots.items() if slot.process}

    def failures(self, name: str) -> int:
        """How often in a row the child has died soon after its start."""
        return self._slots[name].failures

    def tick(self) -> None:
        """Look after all children once: note those that died, start those that are due. Never waits."""
        if self._guard.poll() is not None:
            self._close_guard()
            self._guard = self._start_guard()
            for slot in self._slots.values():
                if slot.process:
                    self._tell_guard(slot.process.pid, slot.child.orphan_signal)
            for server in self._servers:
                self._tell_guard(server.pid, SIGTERM)
        for slot in self._slots.values():
            if slot.process and slot.leaving:
                slot.process.end()
            if slot.process and (status := slot.process.ended()) is not None:
                self._bury(slot, slot.process, status)
            if not slot.process and time.monotonic() >= slot.due:
                self._spawn(slot)
        if self._servers:
            reap_orphans(self._children())

    def wait_for(self, reached: Callable[[], bool], timeout: float) -> bool:
        """Look after the children until `reached()`; False after `timeout` seconds. Raises `Interrupted`."""
        deadline = time.monotonic() + timeout
        while not reached():
            if time.monotonic() >= deadline:
                return False
            self.tick()
            if self.stopping.wait(TICK):
                raise Interrupted
        return True

    def run_once(self, child: Child) -> Outcome:
        """Run `child` to its end, looking after the others meanwhile. Raises `Interrupted`."""
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "output"
            process = Process(child, log, self._guard_pipe(), self._keep, self._show(child.name), self._start)
            self._once = process
            try:
                while (status := process.ended()) is None:
                    self.tick()
                    if self.stopping.wait(TICK):
                        raise Interrupted
            finally:
                self._once = None
                process.kill_group()
                self._tell_guard(process.pid, 0)
            return Outcome(status, log.read_text(errors="replace"))

    def stop(self) -> None:
        """End all children, highest tier first, each in its own way and by force once its time is over."""
        self.stopping.set()
        for tier in sorted({slot.child.tier for slot in self._slots.values()}, reverse=True):
            self._stop_together([s.process for s in self._slots.values() if s.process and s.child.tier == tier])
        self._slots.clear()
        for server in list(self._servers):
            self.unload(server)
        adopt_orphans(adopt=False)
        self._close_guard()

    def _stop_together(self, processes: list[Process]) -> None:
        while waiting := [process for process in processes if process.ended() is None]:
            for process in waiting:
                process.end()
            time.sleep(0.02)
        for process in processes:
            process.kill_group()
            self._tell_guard(process.pid, 0)

    def _spawn(self, slot: _Slot) -> None:
        child = slot.child
        slot.leaving = False
        show = self._show(child.name, slot)
        slot.process = Process(child, self.log(child.name), self._guard_pipe(), self._keep, show, self._start)
        # for whoever wants to stop one of them, as the tour does; a full disk must not stop the supervisor
        with contextlib.suppress(OSError):
            self.log(child.name).with_suffix(".pid").write_text(str(slot.process.pid))

    def _children(self) -> set[int]:
        """The ids of all processes that are looked after; those of the fork servers that have ended are not."""
        processes = [*(slot.process for slot in self._slots.values()), self._once]
        servers = [server.pid for server in self._servers if not server.ended()]
        return {self._guard.pid, *servers, *(process.pid for process in processes if process)}

    def _bury(self, slot: _Slot, process: Process, status: int) -> None:
        # its own children would hold on to its port
        process.kill_group()
        self._tell_guard(process.pid, 0)
        slot.process = None
        self.log(slot.child.name).with_suffix(".pid").unlink(missing_ok=True)
        if slot.leaving:
            return
        delay = slot.delay(time.monotonic() - process.started)
        slot.due = time.monotonic() + delay
        if self._console:
            how = f"was ended by {Signals(-status).name}" if status < 0 else f"ended with status {status}"
            self._console.problem(f"{slot.child.name} {how}; starting it again in {delay:.1f} s")

    def _show(self, name: str, slot: _Slot | None = None) -> Callable[[str], None]:
        def show(line: str) -> None:
            # what somebody says who is replaced is for the file: Celery speaks of Ctrl-C, which nobody pressed
            if self._console and not (slot and (slot.leaving or slot.child.leaves_out(line))):
                self._console.stream(name, line)

        return show

    def _start_guard(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), *self._discard],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            pass_fds=self._keep,
        )

    def _close_guard(self) -> None:
        if self._guard.stdin:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()
        self._guard.wait()

    def _guard_pipe(self) -> int:
        return self._guard.stdin.fileno() if self._guard.stdin else -1

    def _tell_guard(self, pid: int, number: int) -> None:
        # if the guard was killed, the next tick replaces it and tells the new one
        with contextlib.suppress(OSError, ValueError):
            os.write(self._guard_pipe(), f"{pid} {int(number)}\n".encode())
