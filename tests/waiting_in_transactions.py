"""Sees who waits for the world between BEGIN and COMMIT: no socket but the database's is opened there.

PostgreSQL's client library is C and raises no audit events, so every socket that Python hears of is another one's. A
thread that is started counts as well: it is how a look-up would be handed on and waited for.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

from apps.core.transactions import in_transaction

OPENS = frozenset(
    {
        "socket.connect",
        "socket.sendto",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "_thread.start_new_thread",
    }
)
_seen: list[str] = []


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event in OPENS and in_transaction():
        _seen.append(f"{event}{args[1:] if event.startswith('socket') else ''} from\n" + "".join(_stack()))


def _stack() -> list[str]:
    return traceback.format_stack(limit=12)[:-2]


# for good: Python has no way to take a hook away
sys.addaudithook(_hear)


def take() -> list[str]:
    """What was seen since the last call: what was opened, and by whom."""
    seen = list(_seen)
    _seen.clear()
    return seen
