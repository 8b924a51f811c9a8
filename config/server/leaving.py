"""How a server that ends loses no client that has already connected: new ones are kept out first, then it ends.

Closing a listening socket resets the connections that wait in it, with the requests that they have sent. So the kernel
drops the packets that would begin a connection, until the socket is closed; a client's kernel repeats them, and is then
refused, or taken by the next server. Linux only; elsewhere, and if the kernel lets only root do it, the socket stays as
it is, and a client that connects in the last milliseconds may find its connection closed.

Source: https://www.kernel.org/doc/html/latest/networking/filter.html (classic BPF).
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import threading
import time
from contextlib import suppress

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
