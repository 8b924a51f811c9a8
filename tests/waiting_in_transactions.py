"""Notes what waits for another machine between BEGIN and COMMIT: only the database's socket may be opened there.

PostgreSQL's client library is C and raises no audit events, so every socket that Python reports is another one. A
thread that is started counts as well: a look-up could be handed to it and waited for.
"""

from __future__ import annotations

import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from apps.core.transactions import in_transaction
from config.stack.plan import ROOT

OPENS = frozenset(
    {
        "socket.connect",
        "socket.sendto",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
    }
)
HERE = Path(__file__)
_seen: list[str] = []
_start = threading.Thread.start


def _note(what: str) -> None:
    if in_transaction() and not _by_a_test():
        _seen.append(f"{what} from\n" + "".join(traceback.format_stack(limit=12)[:-2]))


def _by_a_test() -> bool:
    """Whether a test itself did it, such as one that looks at its own transaction from another thread."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path != HERE and path.is_relative_to(ROOT) and ".venv" not in path.parts:
            return path.parts[len(ROOT.parts)] == "tests"
        frame = frame.f_back
    return False


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event in OPENS:
        _note(f"{event}{args[1:]}")


def _noted_start(thread: threading.Thread) -> None:
    _note(f"the thread {thread.name}")
    _start(thread)


# for good: Python has no way to remove a hook
sys.addaudithook(_hear)
threading.Thread.start = _noted_start  # type: ignore[assignment] # Python 3.11 tells a hook nothing of threads


def take() -> list[str]:
    """What was seen since the last call: what was opened, and by which code."""
    seen = list(_seen)
    _seen.clear()
    return seen
