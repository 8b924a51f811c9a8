"""An HTTP server on loopback for webhooks, that answers as it is told and remembers what it was sent."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Received:
    """One request."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Behaviour:
    """How to answer: `mode` answer, hang, trickle, reset or flood; `answer` is the raw HTTP response."""

    mode: str = "answer"
    answer: bytes = OK
    times: int = 10**9


@dataclass
class Log:
    """What the receiver got, from which ports, and how it should answer."""

    received: list[Received] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    behaviour: Behaviour = field(default_factory=Behaviour)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)


class Receiver:
    """`with Receiver() as receiver:` runs it in threads; `receiver.url` is where to send to."""

    def __init__(self) -> None:
        self.log = Log()
        log = self.log

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                log.connections.append(self.client_address[1])
                while _serve_one(self, log):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 1024

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    @property
    def received(self) -> list[Received]:
        """Every complete request so far."""
        return list(self.log.received)

    @property
    def ids(self) -> list[str]:
        """The webhook-id of every request so far."""
        return [request.headers["webhook-id"] for request in self.received]

    def behave(self, mode: str = "answer", answer: bytes = OK, times: int = 10**9) -> None:
        """Answer like this the next `times` times, then 200 again."""
        with self.log.lock:
            self.log.behaviour = Behaviour(mode, answer, times)

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.log.closing.set()
        self._server.shutdown()
        self._server.server_close()


def answer(status: str, *headers: str, body: str = "") -> bytes:
    """A raw response, e.g. `answer("503 Service Unavailable", "Retry-After: 1")`."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _serve_one(handler: socketserver.StreamRequestHandler, log: Log) -> bool:
    request = _read(handler)
    if request is None:
        return False
    with log.lock:
        behaviour = log.behaviour
        behaviour.times -= 1
        if behaviour.times <= 0:
            log.behaviour = Behaviour()
        log.received.append(request)
    return _MODES[behaviour.mode](handler, behaviour, log)


def _read(handler: socketserver.StreamRequestHandler) -> Received | None:
    try:
        if not handler.rfile.readline():
            return None
        headers = {}
        while (line := handler.rfile.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        return Received(headers, handler.rfile.read(int(headers.get("content-length", "0"))))
    except OSError:
        return None


def _answer(handler: socketserver.StreamRequestHandler, behaviour: Behaviour, log: Log) -> bool:
    handler.wfile.write(behaviour.answer)
    return True


def _hang(handler: socketserver.StreamRequestHandler, behaviour: Behaviour, log: Log) -> bool:
    log.closing.wait(60)
    return False


def _trickle(handler: socketserver.StreamRequestHandler, behaviour: Behaviour, log: Log) -> bool:
    until = time.monotonic() + 60
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while time.monotonic() < until and not log.closing.wait(0.3):
            handler.wfile.write(b"X-Drip: 1\r\n")
    except OSError:
        pass
    return False


def _reset(handler: socketserver.StreamRequestHandler, behaviour: Behaviour, log: Log) -> bool:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    return False


def _flood(handler: socketserver.StreamRequestHandler, behaviour: Behaviour, log: Log) -> bool:
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1000):
            handler.wfile.write(b"x" * 1_000_000)
    except OSError:
        pass
    return False


_MODES = {"answer": _answer, "hang": _hang, "trickle": _trickle, "reset": _reset, "flood": _flood}
