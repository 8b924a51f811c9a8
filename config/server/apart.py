"""Runs a function in a process of its own, so that what it loads is gone again afterwards."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from config.server.launch import die_with_parent

T = TypeVar("T")
FORK = get_context("fork")


def apart(function: Callable[[], T]) -> T:
    """What `function` returns in a fork of this process, which must have one thread; it can be pickled.

    If the fork ends without an answer, by SystemExit or any other error, which it says itself, or by a signal, this
    process ends with status 1.
    """
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_answer, args=(function, theirs))
    process.start()
    theirs.close()
    try:
        answer: T = ours.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 1
        sys.exit(1 if code > 0 else f"the process that was to {function.__name__} was ended by signal {-code}")
    process.join()
    return answer


def _answer(function: Callable[[], T], asker: Connection) -> None:
    die_with_parent(signal.SIGKILL)
    try:
        asker.send(function())
    except Exception:  # whatever it is: said here, since multiprocessing would print it past the log
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
