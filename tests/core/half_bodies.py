"""Clients that go away, or pause, in the middle of a body."""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlsplit

import httpx
from django.db import connection as database

from tests import loopback
from tests.processes import Process, Processes
from tests.waiting import wait_for

JSON = "application/json"
IN_TRANSACTIONS = """
    SELECT pid, state, query FROM pg_stat_activity
    WHERE datname = current_database() AND pid != pg_backend_pid() AND xact_start IS NOT NULL"""


def connect(web: Process) -> socket.socket:
    """A connection to the server."""
    parts = urlsplit(web.url)
    return socket.create_connection((parts.hostname, parts.port or 0), timeout=10)


def answer(connection: socket.socket, method: str) -> http.client.HTTPResponse:
    """The next answer on the connection, read to its end."""
    response = http.client.HTTPResponse(connection, method=method)
    with response:
        response.begin()
        response.read()
    return response


def head(path: str, length: int, **headers: str) -> bytes:
    """The first part of a POST, up to its body."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode()


def send_and_go_away(web: Process, path: str, body: bytes, **headers: str) -> None:
    """Send `body`, of a length that promises more, and close that end; returns once the service has answered."""
    with connect(web) as connection:
        connection.sendall(head(path, len(body) + 50, Idempotency_Key="half", **headers) + body)
        connection.shutdown(socket.SHUT_WR)
        wait_for(lambda: any(line.get("path") == path for line in web.lines()), "it is answered")


def send_it_again(web: Process, path: str, body: bytes, **headers: str) -> httpx.Response:
    """The answer to all of `body`, under the key of `send_and_go_away`."""
    told = {name.replace("_", "-"): value for name, value in headers.items()} | {"Idempotency-Key": "half"}
    return loopback.post(f"{web.url}{path}", content=body, headers=told)


def status_after_a_pause(processes: Processes, path: str, body: bytes, other: str, **headers: str) -> int:
    """One connection for two requests: `other` is answered while the first has sent half of its body."""
    web = processes.web(DB_POOL_SIZE="1", LOG_LEVEL="DEBUG")
    with connect(web) as connection:
        first = head(path, len(body), Idempotency_Key="slow", **headers)
        connection.sendall(first + body[: len(body) // 2])
        started = {"path": path, "event": "request_started"}
        wait_for(lambda: any(started.items() <= line.items() for line in web.lines()), "the request has begun")
        for _ in range(3):
            # with its one connection held for the slow request this would be a 503 after two seconds
            found = loopback.get(f"{web.url}{other}", headers={"Authorization": headers["Authorization"]})
            assert found.status_code == 200
        with database.cursor() as cursor:
            cursor.execute(IN_TRANSACTIONS)
            assert cursor.fetchall() == []
        connection.sendall(body[len(body) // 2 :])
        return answer(connection, "POST").status
