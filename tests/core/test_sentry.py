"""Error reports leave only if a DSN is set, and hold neither secrets nor data of people."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from celery import current_app
from django.db import connection

from tests import loopback
from tests.processes import Processes
from tests.waiting import wait_for

PASSWORD = "plain-text-password-marker"
REQUEST_ID = "of-the-broken-request"


class Sentry(ThreadingHTTPServer):
    """Takes envelopes as Sentry does and keeps their events."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.texts: list[str] = []
        super().__init__(("127.0.0.1", 0), _Envelopes)

    @property
    def dsn(self) -> str:
        return f"http://key@127.0.0.1:{self.server_address[1]}/1"


class _Envelopes(BaseHTTPRequestHandler):
    server: Sentry

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = (gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body).decode()
        self.server.texts.append(text)
        items = [json.loads(line) for line in text.splitlines() if line]
        self.server.events += [item for item in items if "exception" in item or "logentry" in item]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    with Sentry() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def broken(table: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO gone")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE gone RENAME TO {table}")


def test_a_broken_request_is_reported_without_its_content(
    processes: Processes, sentry: Sentry, bearer: dict[str, str]
) -> None:
    web = processes.web(SENTRY_DSN=sentry.dsn)
    headers = {
        "X-Request-ID": REQUEST_ID,
        **bearer,
        "Cookie": f"sessionid={PASSWORD}",
        "X-Forwarded-For": "198.51.100.7",
    }
    body = {"name": "ada@example.com", "note": PASSWORD}
    url = f"{web.url}/api/v1/things?access_token={PASSWORD}"
    with broken("things_thing"):
        answer = loopback.post(url, json=body, headers=headers)
    assert answer.status_code == 500
    wait_for(lambda: sentry.events, "the report arrives")
    (event,) = sentry.events
    assert event["exception"]["values"][-1]["type"] == "ProgrammingError"
    assert event["tags"] == {"request_id": REQUEST_ID, "route": "api/v1/things"}
    assert set(event["request"]) == {"url", "method"}
    assert "user" not in event
    frames = [frame for value in event["exception"]["values"] for frame in value["stacktrace"]["frames"]]
    assert not [frame for frame in frames if "vars" in frame], "locals stay here"
    for text in sentry.texts:
        for secret in (PASSWORD, bearer["Authorization"].split()[1], "ada@", "ada%40", "198.51.100.7"):
            assert secret not in text


def test_a_task_that_fails_is_reported_without_its_arguments(processes: Processes, sentry: Sentry) -> None:
    processes.worker(concurrency=1, SENTRY_DSN=sentry.dsn)
    arguments = {"token": PASSWORD, "to": "ada@example.com"}
    current_app.send_task("events.deliver", args=[PASSWORD], kwargs=arguments, queue="events")
    wait_for(lambda: sentry.events, "the report arrives")
    for text in sentry.texts:
        assert PASSWORD not in text
        assert "ada@" not in text


def test_without_a_dsn_nothing_is_set_up(processes: Processes) -> None:
    program = "import django; django.setup(); import sentry_sdk; print(sentry_sdk.get_client().is_active())"
    assert processes.manage("shell", "-c", program).stdout.split()[-1] == "False"
