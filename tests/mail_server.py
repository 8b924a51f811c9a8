"""A mail server that counts."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest


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
def mail_server(settings: Any) -> Iterator[Server]:
    """A mail server, which the service uses."""
    with Server() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.server_address[1]
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield running
        running.shutdown()
        thread.join()
