"""TCP ports on this machine: whether one is free or a socket listens, a free one, and a port number from a text."""

from __future__ import annotations

import errno
import random
import socket
from collections import deque

# below every system's range for outgoing connections, or one of those could take the port while a server restarts
FIRST, LAST = 20000, 29999
ATTEMPTS = 200
# a server has long begun to listen by the time that so many more are drawn
KEPT = 64
_drawn: deque[socket.socket] = deque()


def parse_port(text: str) -> int:
    """A port number from `text`. Raises `ValueError` with a message for the person who wrote it."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise ValueError(f"PORT must be a number from 1 to 65535, not {text[:40]!r}")
    return int(text)


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on `host`:`port` now. Raises `OSError` if it never could, free or not."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        # a closed server's old connections do not hinder a new one
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_port(preferred: int | None = None) -> int:
    """A free port on 127.0.0.1: `preferred` if it still is, else a random one that nobody else draws for a while."""
    if preferred and is_free("127.0.0.1", preferred):
        return preferred
    for _ in range(ATTEMPTS):
        port = random.randint(FIRST, LAST)
        if is_free("127.0.0.1", port) and _mark(port):
            return port
    raise OSError(f"no free port between {FIRST} and {LAST}")


def _mark(port: int) -> bool:
    """Tell all processes of this machine that `port` is drawn, by the UDP port of that number; False if one has it."""
    mark = socket.socket(type=socket.SOCK_DGRAM)
    try:
        mark.bind(("127.0.0.1", port))
    except OSError:
        mark.close()
        return False
    _drawn.append(mark)
    if len(_drawn) > KEPT:
        _drawn.popleft().close()
    return True


def is_listening(number: int) -> bool:
    """Whether the descriptor with this number is a listening socket."""
    try:
        found = socket.socket(fileno=number)
    except (OSError, ValueError):
        return False
    try:
        return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False
    finally:
        found.detach()
