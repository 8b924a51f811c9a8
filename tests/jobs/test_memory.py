"""The largest bodies allowed, several at once, among real processes, fit the memory that docker-compose.yml gives.

Their peak is the kernel's own figure (VmHWM), summed over a service's processes although they share pages.
PostgreSQL's share is watched while it works: what its processes have for themselves, besides the shared buffers.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from django.db import connection

from apps.core.bus import bus
from apps.jobs.api.views import Process as ProcessView
from apps.users.api.import_view import LIMIT_BYTES
from apps.users.commands import IssueToken, RegisterUser
from tests import loopback
from tests.processes import ROOT, Process, Processes
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peaks from /proc")

MIB = 1024 * 1024
TABLE_BYTES = ProcessView.body_limit


def limit_of(service: str) -> int:
    """The bytes that docker-compose.yml gives a service."""
    text = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][service]["mem_limit"]
    return int(text[:-1]) * {"m": MIB, "g": 1024 * MIB}[text[-1]]


def table(row: Callable[[int], bytes]) -> bytes:
    """A table of the largest size."""
    rows: list[bytes] = []
    size = 100
    while (size := size + len(more := row(len(rows))) + 1) < TABLE_BYTES:
        rows.append(more)
    return b'{"rows":[' + b",".join(rows) + b"]}"


# each is the worst case for one part: the number of values, the statistics' columns, the size of one row
WORST: list[Callable[[int], bytes]] = [
    lambda number: b'{"a":[[]]}',
    lambda number: b"{" + b",".join(b'"%d":%de-%d' % (n, number + 1, n % 300) for n in range(10_000)) + b"}",
    lambda number: b'{"a":[' + b",".join([b"[]"] * 80_000) + b"]}",
]


def peak(process: Process) -> int:
    """The most memory that `process` and its children have had, in bytes."""
    total = 0
    for one in process.tree():
        with suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{one.pid}/status").read_text())
            total += int(found[1]) * 1024 if found else 0
    return total


@contextmanager
def postgresql_watched() -> Iterator[list[int]]:
    """A list of what PostgreSQL's processes have for themselves, in bytes, at every moment of the block."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = psutil.Process(cursor.fetchone()[0]).parent()
    assert server is not None
    seen: list[int] = []
    end = threading.Event()

    def look() -> None:
        while not end.wait(0.02):
            total = 0
            for one in [server, *server.children()]:
                with suppress(OSError):
                    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{one.pid}/status").read_text())
                    total += int(found[1]) * 1024 if found else 0
            seen.append(total)

    watch = threading.Thread(target=look)
    watch.start()
    try:
        yield seen
    finally:
        end.set()
        watch.join()


def shared_buffers() -> int:
    """What PostgreSQL's processes share, in bytes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'shared_buffers'")
        return int(cursor.fetchone()[0])


def test_the_largest_that_is_allowed_fits_the_memory_limits(processes: Processes) -> None:
    token = bus.execute(IssueToken(bus.execute(RegisterUser("staff@example.com", "Staff", is_staff=True)).email))
    web = processes.web(WEB_THREADS="2")
    http = loopback.client(base_url=web.url, headers={"Authorization": f"Bearer {token}"}, timeout=120)

    def process(body: bytes) -> Any:
        return http.post("/api/v1/process", content=body, headers={"Content-Type": "application/json"})

    def upload(file: bytes) -> Any:
        return http.post("/api/v1/users/import", content=file, headers={"Content-Type": "text/csv"})

    bodies = [table(row) for row in WORST]
    with http, postgresql_watched() as seen, ThreadPoolExecutor(6) as pool:
        largest = b"email,name\n" + b"x,y\n" * ((LIMIT_BYTES - 20) // 4)
        largest_import = pool.submit(upload, largest)
        answers = [answer.result() for answer in [pool.submit(process, body) for body in bodies]]
        assert [answer.status_code for answer in answers] == [202] * len(bodies), answers[0].text
        assert http.delete(largest_import.result().headers["Location"]).status_code == 202
        processes.relay()
        worker = processes.worker(queues="jobs", concurrency=1)

        def task(answer: Any) -> dict[str, Any]:
            found: dict[str, Any] = http.get(answer.headers["Location"]).json()
            return found if found["status"] in ("SUCCESS", "FAILURE") else {}

        tasks = [wait_for(lambda a=answer: task(a), "the job ends", 120) for answer in answers]  # type: ignore[misc]
        assert [found["status"] for found in tasks] == ["SUCCESS"] * len(bodies)
        assert len(tasks[1]["result"]["columns"]) == 10_000
    assert peak(web) < limit_of("web")
    assert peak(worker) < limit_of("worker-jobs")
    assert max(seen) + shared_buffers() < limit_of("db")
