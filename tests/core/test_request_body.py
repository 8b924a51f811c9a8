"""An answer that does not need the body leaves the connection usable (RFC 9112, section 9.3)."""

from __future__ import annotations

import http.client
import select
import socket
from urllib.parse import urlsplit

import pytest
from django.db import connection as database

from apps.core.bus import bus
from apps.jobs.models import Job
from apps.users.commands import IssueToken, RegisterUser
from apps.users.models import User
from tests import loopback
from tests.processes import Process, Processes
from tests.waiting import wait_for

JSON = "application/json"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def web(processes: Processes) -> Process:
    return processes.web()


@pytest.fixture
def connection(web: Process) -> socket.socket:
    parts = urlsplit(web.url)
    return socket.create_connection((parts.hostname, parts.port or 0), timeout=10)


def answer(connection: socket.socket, method: str) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(connection, method=method)
    with response:
        response.begin()
        response.read()
    return response


def head(path: str, length: int) -> bytes:
    lines = (f"PATCH {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {length}")
    return "\r\n".join((*lines, "", "")).encode()


def test_a_small_body_is_read_before_it_is_refused(connection: socket.socket) -> None:
    body = b'{"name": "Ada"}'
    with connection:
        connection.sendall(head("/api/v1/users/me", len(body)))
        ready, _, _ = select.select([connection], [], [], 0.3)
        assert not ready, "the answer came before the body"
        connection.sendall(body)
        refused = answer(connection, "PATCH")
        assert (refused.status, refused.getheader("Connection")) == (401, None)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert answer(connection, "GET").status == 200


def test_before_a_large_body_the_connection_is_closed_and_said_to_be(connection: socket.socket) -> None:
    with connection:
        connection.sendall(head("/api/v1/users/me", 10_000_000))
        refused = answer(connection, "PATCH")
        assert (refused.status, refused.getheader("Connection")) == (401, "close")
        assert connection.recv(1) == b""


def test_a_client_that_goes_away_is_no_error(web: Process, connection: socket.socket) -> None:
    with connection:
        connection.sendall(head("/api/v1/users/me", 100) + b"{")
    assert loopback.get(f"{web.url}/healthz").status_code == 200
    assert not [line for line in web.lines() if line.get("level") == "error"]


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/api/v1/users", "application/json", b'{"email": "cut@example.com", "name": "Cut"}'),
        ("/api/v1/users/import", "text/csv", b"email,name\none@example.com,One\ncut@example.com,C"),
    ],
)
def test_half_a_body_is_none(web: Process, connection: socket.socket, path: str, kind: str, body: bytes) -> None:
    token = bus.execute(IssueToken(bus.execute(RegisterUser("boss@example.com", "Boss", is_staff=True)).email))
    length = len(body) + 50
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        f"Content-Type: {kind}",
        f"Content-Length: {length}",
        "Idempotency-Key: half",
    )
    with connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode() + body)
        connection.shutdown(socket.SHUT_WR)
        wait_for(lambda: any(line.get("path") == path for line in web.lines()), "it is answered")
    assert not User.objects.filter(email="cut@example.com").exists()
    assert not Job.objects.exists()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind, "Idempotency-Key": "half"}
    whole = loopback.post(f"{web.url}{path}", content=body, headers=headers)
    assert whole.status_code in (201, 202), "the half left nothing under the key"
    assert "Idempotency-Replayed" not in whole.headers


@pytest.mark.parametrize(
    ("path", "kind", "body", "status"),
    [
        pytest.param("/api/v1/users", JSON, b'{"email": "slow@example.com", "name": "Slow"}', 201, id="open"),
        pytest.param("/api/v1/webhooks", JSON, b'{"url": "https://93.184.216.34/hook"}', 201, id="small"),
        pytest.param("/api/v1/users/import", "text/csv", b"email,name\n" + b"s@x.de,S\n" * 9000, 202, id="stream"),
    ],
)
def test_a_client_that_pauses_holds_no_transaction_and_no_connection(
    processes: Processes, path: str, kind: str, body: bytes, status: int
) -> None:
    """One connection for two requests: the second is answered while the first has sent half of its body."""
    token = bus.execute(IssueToken(bus.execute(RegisterUser("boss@example.com", "Boss", is_staff=True)).email))
    web = processes.web(DB_POOL_SIZE="1", LOG_LEVEL="DEBUG")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind, "Idempotency-Key": "slow"}
    lines = (f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}")
    parts = urlsplit(web.url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection:
        told = [*lines, *(f"{name}: {value}" for name, value in headers.items())]
        connection.sendall("\r\n".join((*told, "", "")).encode() + body[: len(body) // 2])
        started = {"path": path, "event": "request_started"}
        wait_for(lambda: any(started.items() <= line.items() for line in web.lines()), "the request has begun")
        for _ in range(3):
            # with its one connection held for the slow request this would be a 503 after two seconds
            other = loopback.get(f"{web.url}/api/v1/users/me", headers=headers)
            assert other.status_code == 200
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT pid, state, query FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid != pg_backend_pid() AND xact_start IS NOT NULL"
            )
            assert cursor.fetchall() == []
        connection.sendall(body[len(body) // 2 :])
        assert answer(connection, "POST").status == status
