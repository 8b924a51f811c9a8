"""The client's traceparent goes with the work to the people directory, also if nobody traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.resilience.retry import Retry
from apps.profiles.commands import LookUpPerson
from apps.profiles.people import PeopleClient
from tests.breakers import fresh_breaker
from tests.traces.test_carried import SAMPLED, UNSAMPLED


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """A people directory of the test's own; the traceparent of each question that it was asked."""
    heard: list[str] = []

    class Directory(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("traceparent", ""))
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """The test's output is its own."""

    with HTTPServer(("127.0.0.1", 0), Directory) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        client = PeopleClient(f"http://127.0.0.1:{server.server_address[1]}", "key", fresh_breaker(), Retry())
        with bus.replaced(LookUpPerson, lambda command: client.find(command.email)):
            yield heard
        client.close()
        server.shutdown()


@pytest.mark.django_db(transaction=True)
def test_it_reaches_the_directory(asked: list[str], anyone: APIClient, drain: Callable[[], int]) -> None:
    for number, place in enumerate((SAMPLED, UNSAMPLED, "nonsense")):
        person = {"email": f"{number}@example.com", "name": "Ada"}
        assert anyone.post("/api/v1/users", person, headers={"traceparent": place}).status_code == 201
    drain()
    assert sorted(asked) == ["", UNSAMPLED, SAMPLED]
