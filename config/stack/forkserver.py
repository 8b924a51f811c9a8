"""Loads the service once; the processes that run it are forks of this one, and share its memory.

    python -m config.stack.forkserver [FILE …]     # its standard input is a socket of `config.stack.forks`

First it compiles each FILE and loads all that the processes need; if that fails, it says why in one line and ends with
status 1. Each request is then a program to run in a fork, which becomes a child of the program that asks: a fork of a
fork whose parent has ended belongs to the nearest process that has asked for such orphans (PR_SET_CHILD_SUBREAPER,
prctl(2)). Only Linux has that; elsewhere this program ends when it has loaded the code, and nothing is forked.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import socket
import sys
import time

from setproctitle import setproctitle

from config.server.launch import tie
from config.stack.forks import LARGEST, READY, Request
from config.stack.loading import load_or_exit


def main(files: list[str]) -> None:
    """Load the service, fork on request until the socket is closed, and run in each fork what was asked for."""
    load_or_exit(files)
    if sys.platform != "linux":
        return
    # what is loaded stays: a look for garbage would write to, and so copy, pages that all processes share
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=os.dup(0)) as control:
        request = next_in_a_fork(control)
    if request:
        run(request.words)


def next_in_a_fork(control: socket.socket) -> Request | None:
    """Fork for each request, which is then returned in the fork; None here, once nobody asks any more."""
    control.sendall(READY)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, LARGEST, 2)
        if not message:
            return None
        request = Request(**json.loads(message))
        between = os.fork()
        if not between:
            between = os.getpid()
            if os.fork():
                os._exit(0)
            settle(request, descriptors, between, control)
            return request
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(between, 0)


def settle(request: Request, descriptors: list[int], between: int, control: socket.socket) -> None:
    """Make this fork a child of the one who asked, who is told once the fork's own parent `between` is gone."""
    output, *guard = descriptors
    os.setpgid(0, 0)
    empty = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in (empty, 0), (output, 1), (output, 2):
        os.dup2(descriptor, place)
    for descriptor in empty, output, *request.drop:
        os.close(descriptor)
    while os.getppid() == between:
        time.sleep(0.001)
    control.sendall(f"{os.getpid()}\n".encode())
    tie(request.parent, guard[0] if guard else -1, request.orphan_signal)
    setproctitle(request.title)


def run(words: list[str]) -> None:
    """Run `-m MODULE [ARGUMENT …]` or `SCRIPT [ARGUMENT …]` as the interpreter does."""
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
