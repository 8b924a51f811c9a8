"""Mail over kept connections: a worker that sends many greets the mail server once, not once for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue
from smtplib import SMTPException

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend

Idle = LifoQueue[EmailBackend]
_idle: list[Idle] = []


@contextmanager
def kept_connections() -> Iterator[None]:
    """Keep what `send` opens in this block open for its next mails, whatever thread sends them; then close it."""
    idle = Idle()
    _idle.append(idle)
    try:
        yield
    finally:
        _idle.remove(idle)
        with suppress(Empty):
            while True:
                _close(idle.get_nowait())


def send(message: EmailMessage) -> None:
    """Send `message`. Raises what the mail server's library raises."""
    fresh = get_connection()
    if not _idle or not isinstance(fresh, EmailBackend):
        message.connection = fresh
        message.send()
        return
    idle = _idle[-1]
    with suppress(Empty):
        used = idle.get_nowait()
        try:
            _send_over(used, message, idle)
            return
        except SMTPException:
            if used.connection:
                raise
            # the server had closed it since the mail before, perhaps after so many mails: once more over a fresh one
    _send_over(fresh, message, idle)


def _send_over(connection: EmailBackend, message: EmailMessage, idle: Idle) -> None:
    """Send `message`; the connection is kept if the server still listens, also after it refused this mail."""
    listens = False
    try:
        connection.open()
        message.connection = connection
        message.send()
        listens = True
    except SMTPException:
        # smtplib closes the socket if the server did, or said 421
        listens = bool(connection.connection and connection.connection.sock)
        raise
    finally:
        if listens:
            idle.put(connection)
        else:
            _close(connection)


def _close(connection: EmailBackend) -> None:
    # a server that is gone needs no good-bye
    with suppress(OSError):
        connection.close()
