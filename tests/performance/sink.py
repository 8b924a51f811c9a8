"""Where messages and e-mails end in the bench: an HTTP and an SMTP server on loopback that take everything at once.

python -m tests.performance.sink prints both ports and runs until its standard input ends. GET over HTTP answers with
what arrived when: `{"hooks": {ID: EPOCH SECONDS}, "mails": {ADDRESS: EPOCH SECONDS}}`, the first of each.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from config.stack.plan import ROOT
from tests import loopback

HOST = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Arrivals:
    """When each message arrived, in epoch seconds."""

    hooks: dict[str, float] = field(default_factory=dict)
    mails: dict[str, float] = field(default_factory=dict)


class Http(asyncio.Protocol):
    """Notes each POST's id; answers GET with the notes. Requests of one connection come one by one."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        headers = {name.lower(): value.strip() for name, _, value in lines}
        if len(body) < int(headers.get(b"content-length", 0)):
            return
        self._received = b""
        if head.startswith(b"GET"):
            notes = json.dumps({"hooks": self._arrivals.hooks, "mails": self._arrivals.mails}).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(notes), notes))
            return
        self._arrivals.hooks.setdefault(headers.get(b"webhook-id", b"").decode(), time.time())
        self._transport.write(OK)


async def smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, arrivals: Arrivals) -> None:
    """Take the mails of one connection; notes the last recipient of each once the mail is complete."""
    recipient = ""
    writer.write(b"220 sink\r\n")
    while line := await reader.readline():
        word = line[:4].upper()
        if word == b"RCPT":
            recipient = line.partition(b"<")[2].partition(b">")[0].decode()
        if word == b"DATA":
            writer.write(b"354 go on\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            arrivals.mails.setdefault(recipient, time.time())
        writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 sink\r\n")
        if word == b"QUIT":
            break
    writer.close()


async def run() -> None:
    """Serve until standard input ends."""
    arrivals, loop = Arrivals(), asyncio.get_running_loop()
    http_server = await loop.create_server(lambda: Http(arrivals), HOST, 0, backlog=1024)
    mail_server = await asyncio.start_server(lambda r, w: smtp(r, w, arrivals), HOST, 0, backlog=1024)
    sys.stdout.write(f"{http_server.sockets[0].getsockname()[1]} {mail_server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


@dataclass(frozen=True)
class Sink:
    """A running sink: where to send, and what arrived."""

    url: str
    smtp_url: str

    def arrivals(self) -> Arrivals:
        """What has arrived so far."""
        return Arrivals(**loopback.get(self.url, timeout=30).json())


@contextmanager
def sink() -> Iterator[Sink]:
    """Run a sink in a process of its own."""
    command = [sys.executable, "-m", "tests.performance.sink"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        ports = (process.stdout.readline() if process.stdout else "").split()
        try:
            yield Sink(f"http://{HOST}:{ports[0]}/hook", f"smtp://{HOST}:{ports[1]}")
        finally:
            if process.stdin:
                process.stdin.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(run())
