"""What Granian offers no option for: which socket its workers listen on, how they start, and beside what.

All of it sets private attributes, checked with granian 2.8.7 and Python 3.11 to 3.13; a version without them is refused
when the server starts.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
from collections.abc import Callable
from importlib import import_module
from multiprocessing import resource_tracker
from multiprocessing.util import Finalize
from typing import Any

BACKLOG = 1024
STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})


def share(server: Any, listener: socket.socket, close: Callable[[], None]) -> None:
    """Give all workers the one `listener`, as Granian does by itself everywhere except on Linux.

    There each worker would listen for itself, and clients that wait to be accepted are cut off when that worker ends.
    The main process calls `close` as soon as the whole server is to end, before its workers hear of it.
    Raises RuntimeError for another version of Granian.
    """
    _has(server, "_init_shared_socket", "_drop_shared_socket", "_sfd", "_shd")
    holder: Any = import_module("granian.net").SocketHolder

    def use_listener() -> None:
        listener.set_inheritable(True)
        server._sfd, server._sso = listener.fileno(), listener
        server._shd = holder(listener.fileno(), False, BACKLOG)

    server._init_shared_socket = use_listener
    server._drop_shared_socket = close


def hold_signals_back(server: Any) -> None:
    """Start every worker of `server` with SIGTERM and SIGINT held back; `close_before_the_end` then handles them.

    Otherwise one that comes while a worker still imports would end it in the middle of a line, with a traceback.
    Raises RuntimeError for another version of Granian or Python.
    """
    _has(server, "_spawn_worker")
    _start_no_tracker()
    spawn = server._spawn_worker

    def spawn_worker(**arguments: Any) -> Any:
        worker = spawn(**arguments)
        start = worker.start

        def start_held_back() -> None:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
            try:
                start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

        worker.start = start_held_back
        return worker

    server._spawn_worker = spawn_worker


def leave_the_parent_behind() -> None:
    """Give a forked worker what a started one has: no handlers of signals yet, and Python's own end.

    multiprocessing ends a fork without it, so what is to be done at exit would not be.
    """
    for number in *STOPPING, signal.SIGHUP:
        signal.signal(number, signal.SIG_DFL)
    Finalize(None, atexit._run_exitfuncs, exitpriority=0)


def _start_no_tracker() -> None:
    """Start no process that would clean up shared memory and semaphores: workers have none, and it takes 12 MiB.

    It would come with the first worker, and let the signals through again. multiprocessing tells it what there is; here
    it tells /dev/null.
    """
    tracker: Any = resource_tracker._resource_tracker
    _has(tracker, "_fd")
    tracker._fd = os.open(os.devnull, os.O_WRONLY)


def _has(part: Any, *names: str) -> None:
    if missing := [name for name in names if not hasattr(part, name)]:
        library = type(part).__module__.partition(".")[0]
        raise RuntimeError(f"this version of {library} has no {', '.join(missing)}; see config/server/granian_parts.py")
