"""Lets the running processes take saved code, if it can be loaded; otherwise all goes on as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from config.stack.changes import Changes
from config.stack.child import Child
from config.stack.console import Console, in_one_line
from config.stack.plan import ROOT
from config.stack.supervisor import Supervisor

READY_WITHIN = 60.0
# `make run` keeps what it has loaded of these
KEPT = tuple(ROOT / "config" / name for name in ("stack", "server", "product.py"))


@dataclass
class Reloader:
    """Replaces processes by ones with the present code.

    `fork_server` loads the code; it gets the saved files as further arguments. If it can, the children `restarted` are
    ended in order and started again. `workers_ready` makes a question to ask often: do Celery's workers that start from
    now on do their work?
    """

    supervisor: Supervisor
    console: Console
    changes: Changes
    fork_server: Child
    restarted: Collection[str]
    web_answers: Callable[[], bool]
    workers_ready: Callable[[], Callable[[], bool]]
    _saved: set[Path] = field(default_factory=set)

    def reload(self) -> None:
        """Take the saved files and let the processes run them. Raises `Interrupted`."""
        begun = time.monotonic()
        taken = self.changes.take()
        if kept := {path for path in taken if any(path.is_relative_to(place) for place in KEPT)}:
            self.console.step(f"{named(kept)}: start `make run` again to run what was saved")
        self._saved |= taken - kept
        if not self._saved:
            return
        server = self.supervisor.load(self._with_saved())
        self.supervisor.wait_for(lambda: self.changes.waiting() or server.settled(), float("inf"))
        if self.changes.waiting():
            # what it loads is no longer what is there
            self.supervisor.unload(server)
            return
        if problem := server.problem():
            self.supervisor.unload(server)
            self.console.problem(f"not reloaded: {in_one_line(problem)}")
            return
        self.console.step(f"reloading: {named(self._saved)}")
        self._saved.clear()
        self.supervisor.fork_from(server)
        self._replace(begun)

    def _with_saved(self) -> Child:
        return replace(self.fork_server, command=(*self.fork_server.command, *sorted(map(str, self._saved))))

    def _replace(self, begun: float) -> None:
        self.supervisor.replace(*self.restarted)
        self.supervisor.wait_for(lambda: not self.supervisor.replacing(), READY_WITHIN)
        # not sooner: it must not count what those that are leaving say
        ready = self.workers_ready()
        reached = self.supervisor.wait_for(
            lambda: self.changes.waiting() or (ready() and self.web_answers()), READY_WITHIN
        )
        if not reached:
            self.console.problem(f"{READY_WITHIN:.0f} s after the reload not all processes are ready: /readyz says why")
        elif not self.changes.waiting():
            self.console.step(f"reloaded in {time.monotonic() - begun:.1f} s")


def named(paths: Iterable[Path]) -> str:
    """The first of the paths, as a developer names it, and how many there are besides."""
    first, *others = sorted(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path for path in paths)
    return f"{first} and {len(others)} more" if others else str(first)
