"""Web servers behind the proxies of config/deploy/: restarts drop no request, slow clients do not hold up others."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config.server.ports import free_port
from tests import loopback
from tests.faults.load import Load, check
from tests.processes import ROOT, Process, Processes
from tests.waiting import wait_for

THREADS = 2
NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
{site}
}}
"""


@dataclass
class Pair:
    """The proxy's port and the two servers behind it."""

    processes: Processes
    front: int = field(default_factory=free_port)
    ports: list[int] = field(default_factory=lambda: [free_port(), free_port()])
    servers: list[Process] = field(default_factory=list)

    def server(self, number: int) -> Process:
        """Start server 0 or 1, and return it when it is ready."""
        return self.processes.web(PORT=str(self.ports[number]), WEB_THREADS=str(THREADS), TRUSTED_PROXY_COUNT="1")


def haproxy(pair: Pair, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command and environment of an HAProxy before the pair, with its file in config/deploy/."""
    addresses = [f"127.0.0.1:{port}" for port in (pair.front, *pair.ports)]
    environment = dict(zip(("FRONT", "WEB_1", "WEB_2"), addresses, strict=True)) | {"SILENCE": "3s"}
    return ["haproxy", "-db", "-f", str(ROOT / "config/deploy/haproxy.cfg")], environment


def nginx(pair: Pair, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The same of an nginx; its addresses stand in the file."""
    site = (ROOT / "config/deploy/nginx.conf").read_text()
    for address, port in (
        ("0.0.0.0:8080", pair.front),
        ("10.0.0.1:8000", pair.ports[0]),
        ("10.0.0.2:8000", pair.ports[1]),
    ):
        assert address in site
        site = site.replace(address, f"127.0.0.1:{port}")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, site=site, user=user))
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")], {}


@pytest.fixture(params=[haproxy, nginx], ids=lambda proxy: proxy.__name__)
def pair(request: pytest.FixtureRequest, processes: Processes, tmp_path: Path) -> Iterator[Pair]:
    """Both servers running behind a proxy with the configuration that is in config/deploy/."""
    name = request.param.__name__
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip(f"there is no {name} on this machine: apt-get install {name}")
    pair = Pair(processes)
    pair.servers = [pair.server(0), pair.server(1)]
    command, environment = request.param(pair, tmp_path)
    log = tmp_path / f"{name}.out"
    with log.open("wb") as output:
        proxy = subprocess.Popen(
            [program, *command[1:]], env=os.environ | environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_for(lambda: answers(pair.front), f"the proxy answers; see {log}")
        yield pair
    finally:
        proxy.terminate()
        proxy.wait(20)


def answers(port: int) -> bool:
    """Whether a healthy service behind the port answers at once."""
    return loopback.answers(f"http://127.0.0.1:{port}/healthz", timeout=5)


def test_a_rolling_restart(pair: Pair) -> None:
    load = Load(pair.front)
    with load.running():
        load.answered(200)
        for number in (0, 1, 0):
            assert pair.servers[number].stop(20) == 0
            load.answered(100)
            pair.servers[number] = pair.server(number)
            load.answered(200)
    check(load)


def slow(port: int, head: str, length: int, sent: int) -> socket.socket:
    """A client that has sent so much of a body of that length, and then nothing more."""
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(f"POST {head}\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode() + b" " * sent)
    return client


def test_clients_that_send_slowly_hold_up_nobody(pair: Pair) -> None:
    """More of them than the servers have threads, with bodies larger than HAProxy's default buffer.

    The one whose body is whole gets its answer, also if it came last and stands in a queue behind those that stopped.
    """
    manage = pair.processes.manage
    assert manage("create_user", "staff@example.com", "--name", "Staff", "--staff").returncode == 0
    token = manage("issue_token", "staff@example.com").stdout.strip()
    staff = f"Authorization: Bearer {token}"
    for head, length, sent, status in (
        (f"/api/v1/users HTTP/1.1\r\nContent-Type: application/json\r\n{staff}", 65_536, 40_000, 413),
        (f"/api/v1/users/import HTTP/1.1\r\nContent-Type: text/csv\r\n{staff}", 1_000_000, 200_000, 202),
    ):
        with ExitStack() as stack:
            clients = [stack.enter_context(slow(pair.front, head, length, sent)) for _ in range(3 * THREADS)]
            assert all(answers(pair.front) for _ in range(10)), f"bodies of {length} bytes"
            clients[-1].sendall(b"{}".rjust(length - sent))
            assert clients[-1].recv(12) == f"HTTP/1.1 {status}".encode(), "the whole of it arrives"
