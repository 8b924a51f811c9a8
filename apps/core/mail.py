"""Mail: rendered from templates, and sent over kept connections.

An app declares each kind of mail in its mail.py, which makes it show at /dev/mail in development:

    WELCOME = Mail("users/mail/welcome", {"name": "Ada"})
    send(WELCOME.message({"name": user.name}, to=[user.email]))

Only receivers with `waits=True` send: so a mail goes out if and only if the change that it tells of was committed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, LifoQueue
from smtplib import SMTPException
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.template import Context, Engine

Idle = LifoQueue[EmailBackend]
_idle: list[Idle] = []


class Rendered(NamedTuple):
    """What a mail says: its subject, and the same body as text and as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Mail:
    """A kind of mail: the templates `template`.txt, which begins with the subject's line, and `template`.html.

    `example` has a value for everything that the templates name. Raises ImproperlyConfigured for a second mail of that
    name.
    """

    template: str
    example: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.template in MAILS:
            raise ImproperlyConfigured(f"there is already a mail {self.template}")
        MAILS[self.template] = self

    def render(self, values: Mapping[str, Any]) -> Rendered:
        """The mail with `values` in it. Raises TypeError for others than `example` has: a link would be left blank."""
        if values.keys() != self.example.keys():
            raise TypeError(f"the mail {self.template} takes {', '.join(self.example)}")
        text = Engine.get_default().get_template(f"{self.template}.txt").render(Context(values, autoescape=False))
        first, _, rest = text.lstrip().partition("\n")
        # one line of what can be printed: nothing in a value begins another header
        subject = "".join(c for c in " ".join(first.split()) if c.isprintable())
        page = Engine.get_default().get_template(f"{self.template}.html")
        html = page.render(Context({**values, "subject": subject}))
        return Rendered(subject, rest.lstrip("\n"), html)

    def message(
        self, values: Mapping[str, Any], *, to: Sequence[str] = (), bcc: Sequence[str] = (), message_id: str = ""
    ) -> EmailMessage:
        """The mail to be sent; with the same `message_id` on a repeat, a mail server can recognise it."""
        subject, text, html = self.render(values)
        headers = {"Message-ID": message_id} if message_id else {}
        message = EmailMultiAlternatives(subject, text, to=to, bcc=bcc, headers=headers)
        message.attach_alternative(html, "text/html")
        return message


# every kind of mail whose module was loaded
MAILS: dict[str, Mail] = {}


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
