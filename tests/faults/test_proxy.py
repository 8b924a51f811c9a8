"""Two web servers behind a proxy, one restarted after the other under load: no request is dropped."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from config.stack.ports import free_port
from tests.faults.load import Load, check
from tests.processes import ROOT, Process, Processes
from tests.waiting import wait_for

PROGRAM = shutil.which("haproxy") or "/usr/sbin/haproxy"
pytestmark = pytest.mark.skipif(
    not Path(PROGRAM).exists(), reason="there is no haproxy on this machine: apt-get install haproxy"
)
CONFIG = ROOT / "config/deploy/haproxy.cfg"


@dataclass
class Pair:
    """The proxy's port and the two servers behind it."""

    processes: Processes
    front: int = field(default_factory=free_port)
    ports: list[int] = field(default_factory=lambda: [free_port(), free_port()])
    servers: list[Process] = field(default_factory=list)

    def server(self, number: int) -> Process:
        """Start server 0 or 1; ready."""
        return self.processes.web(PORT=str(self.ports[number]), WEB_THREADS="2", TRUSTED_PROXY_COUNT="1")


@pytest.fixture
def pair(processes: Processes, tmp_path: Path) -> Iterator[Pair]:
    """Both servers running behind the proxy with the configuration that is in config/deploy/."""
    pair = Pair(processes)
    pair.servers = [pair.server(0), pair.server(1)]
    addresses = [f"127.0.0.1:{port}" for port in (pair.front, *pair.ports)]
    environment = os.environ | dict(zip(("FRONT", "WEB_1", "WEB_2"), addresses, strict=True))
    with (tmp_path / "haproxy.log").open("wb") as output:
        proxy = subprocess.Popen([PROGRAM, "-db", "-f", str(CONFIG)], env=environment, stdout=output, stderr=output)
    try:
        wait_for(lambda: answers(pair.front), f"the proxy answers; see {tmp_path}/haproxy.log")
        yield pair
    finally:
        proxy.kill()
        proxy.wait()


def answers(port: int) -> bool:
    """Whether a healthy service is behind the port."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


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
