"""What the tour may do to the processes that `make run` has started."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from apps.core.resilience.valkey import patient_client
from apps.tour.experiments import CannotRun

LONGEST_PAUSE_SECONDS = 60.0
TIMEOUT_SECONDS = 5.0


def wipe_valkey() -> int:
    """Empty the Valkey of `make run`; how many keys there were. Raises CannotRun for any other: it may be shared."""
    pid_of("valkey")
    valkey = patient_client(settings.VALKEY_URL, TIMEOUT_SECONDS)
    keys = int(valkey.dbsize())
    valkey.flushall()
    return keys


def pid_of(name: str) -> int:
    """The process id of the child `name` of `make run`. Raises CannotRun if there is none."""
    try:
        pid = int((settings.TOUR_STATE / "logs" / f"{name}.pid").read_text())
        # whoever has the number now must be a process that this account may end
        os.kill(pid, 0)
    except (OSError, ValueError):
        raise CannotRun(f"There is no process {name}: this needs the stack that make run starts.") from None
    return pid


def pause(name: str) -> None:
    """Let the child stand still, for LONGEST_PAUSE_SECONDS at most. Raises CannotRun."""
    pid = pid_of(name)
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(LONGEST_PAUSE_SECONDS, _continue, [pid])
    timer.daemon = True
    timer.start()


def go_on(name: str) -> None:
    """Let it go on. Raises CannotRun."""
    _continue(pid_of(name))


def kill(*names: str) -> list[int]:
    """Kill these children with all that they started; their process ids. Raises CannotRun."""
    pids = [pid_of(name) for name in names]
    for pid in pids:
        os.killpg(pid, signal.SIGKILL)
    return pids


def stands_still(name: str) -> bool:
    """Whether the child is stopped."""
    try:
        # the state follows the name in brackets, which may hold anything
        stat = Path("/proc", str(pid_of(name)), "stat").read_text()
    except (OSError, CannotRun):
        return False
    return stat.rpartition(")")[2].split()[0] == "T"


def _continue(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
