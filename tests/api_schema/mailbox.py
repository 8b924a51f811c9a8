"""A mailbox that programs read over HTTP: GET /ADDRESS answers the token of the next link that was mailed there."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from urllib.parse import unquote

from django.core import mail

from tests.users.letters import post, token_in

WAIT_SECONDS = 60


class Mailbox(ThreadingHTTPServer):
    """Everybody's mail, as far as there are links in it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Reader)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.tokens: dict[str, Queue[str]] = defaultdict(Queue)

    def fetch(self) -> None:
        """Send the mails that are due, in this thread, and put their tokens into the box."""
        post()
        for message in mail.outbox:
            if found := token_in(message):
                self.tokens[message.to[0]].put(found)
        mail.outbox.clear()


class Reader(BaseHTTPRequestHandler):
    """One question."""

    server: Mailbox

    def do_GET(self) -> None:
        try:
            found = self.server.tokens[unquote(self.path[1:])].get(timeout=WAIT_SECONDS)
        except Empty:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(found.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the test's output has enough."""


@contextmanager
def open_mailbox() -> Iterator[Mailbox]:
    """A mailbox that answers while the block runs."""
    with Mailbox() as box:
        thread = threading.Thread(target=box.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield box
        finally:
            box.shutdown()
            thread.join()
