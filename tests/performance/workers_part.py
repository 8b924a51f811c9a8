"""How the web server grows with its workers: the real server, and clients that keep their connections."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

from config.server.ports import free_port
from config.stack.child import Child
from config.stack.supervisor import Supervisor
from tests import loopback
from tests.performance.growth import verdict
from tests.performance.options import Options
from tests.performance.report import Section, Value, say
from tests.performance.stack import Part, Stack, cpu_seconds, rss_mib

WORKERS = (1, 2, 3, 4)
CLIENTS = 8
READY_WITHIN = 60.0
REQUESTS = {True: 800, False: 8000}


def run_workers(stack: Stack, options: Options) -> list[Section]:
    """GET of one user, from CLIENTS connections, to 1 to 4 workers."""
    count = REQUESTS[options.quick]
    rows = [_measured(stack.part(f"workers{workers}"), workers, count) for workers in WORKERS]
    first = rows[0]["CPU µs a request"]
    for row in rows:
        cost = row["CPU µs a request"]
        ratio = float(cost or 0) / float(first or 1)
        row["CPU to one worker"] = ratio
        row["growth"] = verdict(ratio)
    notes = [
        f"GET /users/{{id}}, {count:,} requests from {CLIENTS} kept connections; clients and database share the cores.",
        "CPU µs: of the server's processes. MiB: resident; pages that they share count for each.",
    ]
    return [Section("workers", "10. Growth: with the web workers", rows, notes)]


def _measured(part: Part, workers: int, count: int) -> dict[str, Value]:
    say(f"growth: {workers} web workers")
    token = part.staff_token()
    port = free_port()
    environment = part.environment(PORT=str(port), WEB_WORKERS=str(workers), PYTHONUNBUFFERED="1")
    with Supervisor(part.folder / f"logs{workers}") as supervisor:
        supervisor.start(Child(name="web", command=(sys.executable, "-m", "config.server"), environment=environment))
        if not supervisor.wait_for(lambda: loopback.answers(f"http://127.0.0.1:{port}/healthz"), READY_WITHIN):
            raise RuntimeError(f"the server was not ready:\n{supervisor.log('web').read_text()[-2000:]}")
        _ask(port, token, count // 4)
        pid = supervisor.pids()["web"]
        cpu, start = cpu_seconds(pid), time.monotonic()
        _ask(port, token, count)
        seconds, used = time.monotonic() - start, cpu_seconds(pid) - cpu
        return {
            "web workers": workers,
            "requests/s": count / seconds,
            "CPU µs a request": used / count * 1e6,
            "MiB": rss_mib(pid),
        }


def _ask(port: int, token: str, count: int) -> None:
    """Send `count` requests in all, from CLIENTS threads."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _: _ask_in_a_row(port, token, max(count // CLIENTS, 1)), range(CLIENTS)))


def _ask_in_a_row(port: int, token: str, count: int) -> None:
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(count):
        client.request("GET", "/api/v1/users/1", headers={"Authorization": f"Bearer {token}"})
        answer = client.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a request was answered with {answer.status}: {content[:300]!r}")
    client.close()
