"""A small people directory on loopback: the external API of development and tests, which fails when told to.

    GET /people?email=ada@example.com    display_name, company, avatar_url
    GET /avatars/NAME.svg                the picture that avatar_url points to
    PUT /control                         {"status": 503, "delay": 2.0, "times": 3, "retry_after": 5, "garbage": true}
    GET /control                         what it was told last, and how many requests for people it has served

All except the pictures need `Authorization: Bearer KEY`. Everything in /control is optional, and `{}` makes it work
again; after `times` answers it works again by itself. An e-mail whose local part begins with "unknown" is unknown: 404.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import re
import signal
import sys
import threading
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

LONGEST_DELAY = 600.0
LONGEST_BODY = 10_000
NO_KEY = {"detail": "a bearer token with the right key is needed"}
GARBAGE = b'{"display_name": "Half an ans'


@dataclass(frozen=True)
class Control:
    """How the next answers go wrong: `delay` and `retry_after` in seconds, `times` None for until told otherwise."""

    status: int | None = None
    delay: float = 0.0
    times: int | None = None
    retry_after: int | None = None
    garbage: bool = False


def parse_control(raw: bytes) -> Control:
    """What a PUT /control asks for. Raises `ValueError` with a message for its author."""
    try:
        data = json.loads(raw or b"{}")
    except ValueError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(data, dict):
        raise ValueError("the body must be a JSON object")
    for name, value in data.items():
        if name not in _CHECKS:
            raise ValueError(f"{name} is unknown; known are {', '.join(_CHECKS)}")
        expected, valid = _CHECKS[name]
        if not valid(value):
            raise ValueError(f"{name} must be {expected}")
    return Control(**data)


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST_DELAY


_CHECKS: dict[str, tuple[str, Any]] = {
    "status": ("a status from 200 to 599", lambda value: value is None or _whole(value, 200, 599)),
    "delay": (f"seconds from 0 to {LONGEST_DELAY:.0f}", _seconds),
    "times": ("a whole number, 1 or more", lambda value: value is None or _whole(value, 1, 1_000_000)),
    "retry_after": ("whole seconds, 0 or more", lambda value: value is None or _whole(value, 0, 86_400)),
    "garbage": ("true or false", lambda value: isinstance(value, bool)),
}


def person(email: str, base_url: str) -> dict[str, str] | None:
    """The entry for `email`, always the same one; None if there is none."""
    local, _, domain = email.strip().lower().partition("@")
    words = re.findall(r"[^\W\d_]+", local.partition("+")[0])
    if not words or "." not in domain or local.startswith("unknown"):
        return None
    labels = domain.split(".")
    company = labels[-3] if len(labels) > 2 and labels[-2] in {"co", "com", "org", "ac"} else labels[-2]
    picture = hashlib.sha256(f"{local}@{domain}".encode()).hexdigest()[:12]
    return {
        "display_name": " ".join(word.capitalize() for word in words),
        "company": " ".join(part.capitalize() for part in company.split("-")),
        "avatar_url": f"{base_url}/avatars/{picture}.svg",
    }


class PeopleDirectory(ThreadingHTTPServer):
    """The server. `with PeopleDirectory(key) as people:` runs it in a thread; `people.url` is its address."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, key: str, port: int = 0) -> None:
        """`key` is the bearer token it wants; `port` 0 takes any free one."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.key = key
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.served = 0
        self._control = Control()
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def __enter__(self) -> PeopleDirectory:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._closing.set()
        self.shutdown()
        self.server_close()

    def control(self, **wishes: Any) -> None:
        """Do the same as PUT /control: `control(status=503, times=3)`; without arguments it works again."""
        self.tell(parse_control(json.dumps(wishes).encode()))

    def tell(self, control: Control) -> None:
        """Make answers go wrong as `control` says, from the next one on."""
        with self._lock:
            self._control = control

    def state(self) -> dict[str, Any]:
        """What GET /control answers."""
        with self._lock:
            return {**asdict(self._control), "served": self.served}

    def count(self) -> None:
        """Count a request for a person, with the key or without."""
        with self._lock:
            self.served += 1

    def take(self) -> Control:
        """How this answer goes wrong; lowers the number of those that will."""
        with self._lock:
            control = self._control
            if control.times is not None:
                self._control = (
                    Control(**{**asdict(control), "times": control.times - 1}) if control.times > 1 else Control()
                )
            return control

    def pause(self, seconds: float) -> None:
        """Wait, but not past the end of the server."""
        self._closing.wait(seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "PeopleDirectory"
    # head and body are sent together: the body would wait for the client's acknowledgement of the head
    wbufsize = -1
    server: PeopleDirectory

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/people":
            self.server.count()
        if re.fullmatch(r"/avatars/[0-9a-f]{12}\.svg", url.path):
            self._send(HTTPStatus.OK, _avatar(url.path), "image/svg+xml")
        elif not self._has_key():
            self._answer(HTTPStatus.UNAUTHORIZED, NO_KEY)
        elif url.path == "/people":
            self._people(parse_qs(url.query).get("email", [""])[0])
        elif url.path == "/control":
            self._answer(HTTPStatus.OK, self.server.state())
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"detail": "try /people?email=… or /control"})

    def do_PUT(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LONGEST_BODY:
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"detail": f"at most {LONGEST_BODY} bytes"})
            return
        raw = self.rfile.read(int(length))
        if not self._has_key():
            self._answer(HTTPStatus.UNAUTHORIZED, NO_KEY)
            return
        if urlsplit(self.path).path != "/control":
            self._answer(HTTPStatus.NOT_FOUND, {"detail": "only /control can be put"})
            return
        try:
            self.server.tell(parse_control(raw))
        except ValueError as error:
            self._answer(HTTPStatus.BAD_REQUEST, {"detail": str(error)})
        else:
            self._answer(HTTPStatus.OK, self.server.state())

    def _people(self, email: str) -> None:
        control = self.server.take()
        self.server.pause(control.delay)
        if control.garbage:
            self._send(control.status or HTTPStatus.OK, GARBAGE, "application/json")
        elif control.status not in {None, 200}:
            self._answer(control.status or 0, {"detail": "told to fail"}, control.retry_after)
        elif not email:
            self._answer(HTTPStatus.BAD_REQUEST, {"detail": "email is missing"})
        elif found := person(email, self.server.url):
            self._answer(HTTPStatus.OK, found, control.retry_after)
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"detail": "nobody here has this e-mail"})

    def _has_key(self) -> bool:
        sent, right = self.headers.get("Authorization", ""), f"Bearer {self.server.key}"
        return hmac.compare_digest(sent.encode(), right.encode())

    def _answer(self, status: int, data: dict[str, Any], retry_after: int | None = None) -> None:
        self._send(status, json.dumps(data).encode(), "application/json", retry_after)

    def _send(self, status: int, body: bytes, kind: str, retry_after: int | None = None) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if retry_after is not None:
                self.send_header("Retry-After", str(retry_after))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            # the client has given up waiting, which is what a delay is for
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep e-mail addresses, which are in the path, out of the log."""


def _avatar(path: str) -> bytes:
    hue = int(path.removeprefix("/avatars/")[:6], 16) % 360
    circle = f'<circle cx="32" cy="32" r="32" fill="hsl({hue} 60% 55%)"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">{circle}</svg>'.encode()


def main() -> None:
    """Serve on `--port` until SIGTERM; the key comes from EXTERNAL_API_KEY."""
    parser = argparse.ArgumentParser(prog="python -m config.stack.people", description="A small people directory.")
    parser.add_argument("--port", type=int, required=True, help="loopback port to listen on")
    port = parser.parse_args().port
    key = os.environ.get("EXTERNAL_API_KEY", "")
    if not key:
        sys.exit("EXTERNAL_API_KEY is missing: the key that callers have to send")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    PeopleDirectory(key, port).serve_forever()


if __name__ == "__main__":
    main()
