"""An answer that does not need the body leaves the connection usable (RFC 9112, section 9.3)."""

from __future__ import annotations

import select
import socket

import pytest

from tests import loopback
from tests.core.half_bodies import JSON, answer, connect, send_and_go_away, send_it_again, status_after_a_pause
from tests.processes import Process, Processes
from tests.things.models import Thing

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def web(processes: Processes) -> Process:
    return processes.web()


@pytest.fixture
def connection(web: Process) -> socket.socket:
    return connect(web)


def head(path: str, length: int) -> bytes:
    lines = (f"PATCH {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {length}")
    return "\r\n".join((*lines, "", "")).encode()


def test_a_small_body_is_read_before_it_is_refused(connection: socket.socket) -> None:
    body = b'{"name": "Ada"}'
    with connection:
        connection.sendall(head("/api/v1/things/1", len(body)))
        ready, _, _ = select.select([connection], [], [], 0.3)
        assert not ready, "the answer came before the body"
        connection.sendall(body)
        refused = answer(connection, "PATCH")
        assert (refused.status, refused.getheader("Connection")) == (401, None)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert answer(connection, "GET").status == 200


def test_before_a_large_body_the_connection_is_closed_and_said_to_be(connection: socket.socket) -> None:
    with connection:
        connection.sendall(head("/api/v1/things/1", 10_000_000))
        refused = answer(connection, "PATCH")
        assert (refused.status, refused.getheader("Connection")) == (401, "close")
        assert connection.recv(1) == b""


def test_a_client_that_goes_away_is_no_error(web: Process, connection: socket.socket) -> None:
    with connection:
        connection.sendall(head("/api/v1/things/1", 100) + b"{")
    assert loopback.get(f"{web.url}/healthz").status_code == 200
    assert not [line for line in web.lines() if line.get("level") == "error"]


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/api/v1/things", JSON, b'{"name": "Cut", "note": "n"}'),
        ("/api/v1/things/upload", "text/csv", b"Cut\nn"),
    ],
)
def test_half_a_body_is_none(web: Process, bearer: dict[str, str], path: str, kind: str, body: bytes) -> None:
    headers = {**bearer, "Content_Type": kind}
    send_and_go_away(web, path, body, **headers)
    assert not Thing.objects.exists()
    whole = send_it_again(web, path, body, **headers)
    assert whole.status_code == 201, "the half left nothing under the key"
    assert "Idempotency-Replayed" not in whole.headers


@pytest.mark.parametrize(
    ("path", "kind", "body", "status"),
    [
        pytest.param("/api/v1/things", JSON, b'{"name": "Slow", "note": "n"}', 201, id="open"),
        pytest.param("/api/v1/things/{}/note", JSON, b'{"note": "as long as the client takes"}', 200, id="small"),
        pytest.param("/api/v1/things/upload", "text/csv", b"Slow\n" + b"a line\n" * 12_000, 201, id="stream"),
    ],
)
def test_a_client_that_pauses_holds_no_transaction_and_no_connection(
    processes: Processes, bearer: dict[str, str], path: str, kind: str, body: bytes, status: int
) -> None:
    other = f"/api/v1/things/{Thing.objects.create(name='Old').pk}"
    path = path.format(Thing.objects.create(name="Changed").pk)
    assert status_after_a_pause(processes, path, body, other, **bearer, Content_Type=kind) == status
