"""A process that is told to end while it starts does so without a traceback, at whatever moment."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from config.server.ports import free_port
from tests.processes import Process, Processes
from tests.stack.programs import all_gone
from tests.waiting import wait_for

BACKGROUND = [sys.executable, "-m", "config.background"]
COMMANDS = {
    "web": [sys.executable, "-m", "config.server"],
    "relay": [sys.executable, "manage.py", "relay"],
    "worker": [*BACKGROUND, "worker", "-Q", "events", "-c", "2"],
    "beat": [*BACKGROUND, "beat", "--schedule", "{folder}/beat", "--pidfile="],
    "stack": [sys.executable, "-m", "config.stack"],
}
# what it says once it is up
READY = {
    "web": "Started worker-1",
    "relay": "relay_started",
    "worker": " ready.",
    "beat": "beat: Starting",
    "stack": "PostgreSQL",
}
MOMENTS = 5


def start(processes: Processes, name: str) -> Process:
    """The process, once the first line of our own code has run."""
    command = [word.format(folder=processes.folder) for word in COMMANDS[name]]
    process = processes.start(name, command, {"PORT": str(free_port()), "HOST": "127.0.0.1"}, forked=False)
    wait_for(lambda: runs_our_code(process.popen.pid), f"{name} begins", 20)
    return process


def runs_our_code(pid: int) -> bool:
    """Whether SIGINT is no longer Python's, which catches it from the moment it ignores SIGPIPE."""
    status = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    ignored, caught = int(status["SigIgn"], 16), int(status["SigCgt"], 16)
    return bool(ignored >> signal.SIGPIPE - 1 & 1) and not caught >> signal.SIGINT - 1 & 1


def said(process: Process, text: str) -> bool:
    """Whether the process has written `text`."""
    return text in process.log.read_text(errors="replace")


@pytest.mark.skipif(sys.platform != "linux", reason="the moment of the start is read from /proc")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_signal_at_any_moment_of_the_start_leaves_no_traceback(processes: Processes, name: str) -> None:
    begun = time.monotonic()
    whole = start(processes, name)
    wait_for(lambda: said(whole, READY[name]), f"{name} is up; see {whole.log}")
    takes = time.monotonic() - begun
    end(whole, signal.SIGTERM)
    for moment in range(MOMENTS):
        process = start(processes, name)
        time.sleep(takes * moment / MOMENTS)
        end(process, signal.SIGINT if moment % 2 else signal.SIGTERM)


# is told to end at the last moment of its start, or before its first step
TOLD = """
import os, signal
from celery import signals
from config import background

def told(**_):
    os.kill(os.getpid(), signal.{signal})

signals.{moment}.connect(told)
background.main(["worker", "-Q", "events", "-c", "1"])
"""


@pytest.mark.parametrize("moment", ["worker_init", "worker_ready"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_end_before_it_loops_does(
    processes: Processes, moment: str, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", TOLD.format(signal=number.name, moment=moment)]
    ended(processes.start("worker", command, {}, forked=False), number)


def end(process: Process, number: signal.Signals) -> None:
    """Send SIGTERM to the process, or SIGINT to its whole group, as a terminal does; it ends, quietly."""
    family = process.tree()
    if number == signal.SIGINT:
        os.killpg(process.popen.pid, number)
    else:
        process.popen.send_signal(number)
    ended(process, number)
    all_gone(family)


def ended(process: Process, number: signal.Signals) -> None:
    """It ends, quietly, after this signal."""
    status = process.popen.wait(30)
    output = process.log.read_text(errors="replace")
    assert "Traceback" not in output, f"{number.name}\n{output}"
    # Celery calls it a failure when Ctrl-C ends a worker that is not ready
    assert number == signal.SIGINT or status in (0, -number, 128 + number), f"{status}\n{output}"
