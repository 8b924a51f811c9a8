"""How a server that ends loses no client that has already connected: new ones are kept out first, then it ends.

Closing a listening socket resets the connections that wait in it, with the requests that they have sent. So the kernel
drops the packets that would begin a connection, until the socket is closed; a client's kernel repeats them, and is then
refused, or taken by the next server. A socket that others go on to listen on stays as it is: a worker that ends takes
no more from it. Linux only; elsewhere a client that connects in the last milliseconds may find its connection closed,
and so may one in the last half second if the kernel lets only root drop packets.

Sources: https://www.kernel.org/doc/html/latest/networking/filter.html (classic BPF), epoll_ctl(2).
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from itertools import product

from config.server.ports import is_listening

# <asm/socket.h>
SO_ATTACH_FILTER = 26
# code, jump if true, jump if false, operand: load the TCP flags, is SYN among them?, drop the packet, take all of it
NO_SYN = (0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF)


def turn_away(listener: socket.socket, after: float) -> None:
    """In `after` seconds let `listener` take no new connection, and close it in this process; returns at once."""

    def shut() -> None:
        time.sleep(after)
        with suppress(OSError):
            keep_out(listener)
        listener.close()

    threading.Thread(target=shut, name="turning away", daemon=True).start()


def keep_out(listener: socket.socket) -> None:
    """Let no new connection reach `listener`, in whichever process; those that wait in it can still be accepted.

    Raises OSError if the kernel does not do it for this account.
    """
    if sys.platform == "linux":
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in NO_SYN))
        # struct sock_fprog: the number of steps, and where they are
        listener.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(NO_SYN), ctypes.addressof(code))
        )


def accept_no_more() -> None:
    """Let this process hear of no more connections at its listening sockets; those that share them take the next ones.

    Granian has no such step: it stops to accept at the moment at which it closes the connections without a request.
    """
    if sys.platform != "linux":
        return
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    listening = [number for number in numbers if is_listening(number)]
    for asked, number in product(numbers, listening):
        # most are no epoll, or have not been told of it
        with suppress(OSError), select.epoll.fromfd(os.dup(asked)) as poll:
            poll.unregister(number)
