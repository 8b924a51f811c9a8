"""A WSGI application that takes as long as it is told, and says which process answers.

GET /SECONDS or /SECONDS?streamed: then in two parts, the second a moment after the first.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# as what sends the last spans does
atexit.register(print, "at exit", flush=True)


def tell_what_is_held_back() -> None:
    """Print the signals that this process does not take yet."""
    sys.stdout.write(f"{sorted(signal.Signals(one).name for one in signal.pthread_sigmask(signal.SIG_BLOCK, ()))}\n")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Sleep for the seconds in the path and answer with the process id."""
    time.sleep(float(environ["PATH_INFO"].strip("/") or 0))
    answer = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return in_parts(answer) if environ["QUERY_STRING"] else [answer]


def in_parts(answer: bytes) -> Iterator[bytes]:
    """The answer, as it becomes ready."""
    yield answer[:1]
    time.sleep(0.005)
    yield answer[1:]
