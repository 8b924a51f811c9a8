"""One connection to the mail server for many mails; what the server says about one is that mail's outcome."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core.mail import EmailMessage

from apps.core.mail import kept_connections, send
from apps.events.deliveries import work_waiting
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot


class Server(socketserver.ThreadingTCPServer):
    """Enough of SMTP to count by; refuses whoever is called nobody, and may end a conversation after some mails."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.conversations = 0
        self.mails: list[str] = []
        self.most = 1000
        self.good_bye = b""


class Conversation(socketserver.StreamRequestHandler):
    """One client."""

    server: Server

    def handle(self) -> None:
        self.server.conversations += 1
        self.wfile.write(b"220 here\r\n")
        taken = 0
        for line in self.rfile:
            verb = line[:4].upper()
            if taken == self.server.most and verb == b"MAIL":
                self.wfile.write(self.server.good_bye)
                return
            if verb == b"RCPT":
                recipient = line.partition(b"<")[2].partition(b">")[0].decode()
            if verb == b"RCPT" and recipient.startswith("nobody"):
                self.wfile.write(b"550 no such user\r\n")
                continue
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                for part in self.rfile:
                    if part == b".\r\n":
                        break
                self.server.mails.append(recipient)
                taken += 1
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
            if verb == b"QUIT":
                return


@pytest.fixture
def server(settings: Any) -> Iterator[Server]:
    """A mail server, which the service uses."""
    with Server() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.server_address[1]
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def mail_to(*names: str) -> None:
    for name in names:
        send(EmailMessage("Subject", "Body", to=[f"{name}@example.com"]))


def test_many_mails_go_over_one_connection(server: Server) -> None:
    with kept_connections():
        mail_to("ada", "bob", "eve")
    assert (server.conversations, len(server.mails)) == (1, 3)


def test_outside_the_block_none_is_kept(server: Server) -> None:
    mail_to("ada", "bob")
    assert server.conversations == 2


def test_a_refused_recipient_is_that_mail_s_outcome(server: Server) -> None:
    with kept_connections():
        mail_to("ada")
        with pytest.raises(SMTPRecipientsRefused):
            mail_to("nobody")
        mail_to("bob")
    assert server.mails == ["ada@example.com", "bob@example.com"]
    assert server.conversations == 1


@pytest.mark.parametrize("good_bye", [b"", b"421 too many for today\r\n"], ids=["cut off", "421"])
def test_a_server_that_ends_the_conversation_is_greeted_anew(server: Server, good_bye: bytes) -> None:
    server.most, server.good_bye = 2, good_bye
    with kept_connections():
        mail_to("ada", "bob", "eve", "dan", "kim")
    assert [address[:3] for address in server.mails] == ["ada", "bob", "eve", "dan", "kim"]
    assert server.conversations == 3


def test_it_is_tried_again_once_and_not_for_ever(server: Server) -> None:
    server.most = 0
    with kept_connections(), pytest.raises(OSError, match="onnection"):
        mail_to("ada")
    assert server.conversations == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_deliveries_the_refused_one_fails_alone(server: Server, register: Callable[..., UserSnapshot]) -> None:
    for name in ("ada", "bob", "nobody", "eve", "dan"):
        register(f"{name}@example.com")
    fan_out()
    Delivery.objects.exclude(receiver="users.send_welcome_email").update(due_at=None)
    with kept_connections():
        work_waiting(seconds=5, threads=2)
    rows = Delivery.objects.filter(receiver="users.send_welcome_email").order_by("event_id")
    assert list(rows.values_list("state", flat=True)) == ["delivered", "delivered", "failed", "delivered", "delivered"]
    assert "no such user" in rows[2].last_error
    assert server.conversations <= 2
