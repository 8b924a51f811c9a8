"""Imports the libraries once; the processes that tests start are forks of this one, which import only our own code.

    python -m tests.forkserver     # its standard input is a socket of tests/forks.py

Nothing of ours is loaded here but for what `import config` does first in any process, so each fork reads its own
settings. The first message names the modules; each later one is a request: a program to run, or an end to look for.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
from contextlib import suppress
from importlib import import_module
from typing import Any

import config  # noqa: F401 - it comes before any library, as in the processes themselves
from config.stack.forkserver import run

LARGEST = 2**20


def main() -> None:
    """Fork on request until the socket is closed, and run in each fork what was asked for."""
    # as in a program of ours before it has a handler
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with socket.socket(fileno=os.dup(0)) as control:
        for name in json.loads(control.recv(LARGEST)):
            # what wants settings is imported when there are some
            with suppress(Exception):
                import_module(name)
        gc.collect()
        gc.freeze()
        control.sendall(b"ready")
        words = next_in_a_fork(control)
    if words:
        run(words)


def next_in_a_fork(control: socket.socket) -> list[str] | None:
    """Answer each request; in a fork, its words are returned, and None here once nobody asks any more."""
    running: set[int] = set()
    while True:
        message, outputs, _, _ = socket.recv_fds(control, LARGEST, 2)
        if not message:
            for pid in running:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            return None
        request = json.loads(message)
        if pid := request.get("ended"):
            status = ended(pid)
            if status is not None:
                running.discard(pid)
            control.sendall(json.dumps(status).encode())
            continue
        pid = os.fork()
        if not pid:
            settle(request, outputs)
            return list(request["words"])
        for output in outputs:
            os.close(output)
        running.add(pid)
        control.sendall(json.dumps(pid).encode())


def ended(pid: int) -> int | None:
    """The exit status of a fork, or None while it runs."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def settle(request: dict[str, Any], outputs: list[int]) -> None:
    """Make this fork a session of its own with the environment, the folder and the outputs that were asked for."""
    os.setsid()
    empty = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in zip((empty, *outputs), range(3), strict=True):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])


if __name__ == "__main__":
    main()
