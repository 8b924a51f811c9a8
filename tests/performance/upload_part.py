"""Of part 6: an import over HTTP, which a worker runs."""

from __future__ import annotations

import time

from tests import loopback
from tests.performance.report import Value
from tests.performance.service import whole_service
from tests.performance.sink import sink
from tests.performance.stack import Stack, people_csv

ENDED_WITHIN = 300.0
WORKER = "worker-jobs"


def upload_rows(stack: Stack, count: int) -> list[dict[str, Value]]:
    """Import `count` users by POST /users/import; rows of the table. Raises RuntimeError if a job does not succeed."""
    return [
        _row(stack, count, "POST /users/import, web and relay at work", WORKER),
        _row(stack, count, "… and all workers", ""),
    ]


def _row(stack: Stack, count: int, how: str, worker: str) -> dict[str, Value]:
    part = stack.part("upload" if worker else "upload_all")
    with sink() as receiver, whole_service(part, receiver, worker) as (supervisor, url):
        headers = {"Authorization": f"Bearer {part.staff_token()}", "Content-Type": "text/csv"}
        with loopback.client(base_url=url, headers=headers, timeout=60) as client:
            before, start = part.users(), time.monotonic()
            answer = client.post("/api/v1/users/import", content=people_csv("many", count))
            answer.raise_for_status()
            job = answer.headers["Location"]
            if not supervisor.wait_for(lambda: client.get(job).json()["status"] == "SUCCESS", ENDED_WITHIN):
                raise RuntimeError(f"the import did not succeed: {client.get(job).text[:500]}")
        seconds = time.monotonic() - start
        made = part.users() - before
    row: dict[str, Value] = {
        "how": how,
        "rows": count,
        "users": made,
        "s": seconds,
        "start-up s": None,
    }
    return row | {"rows/s": count / seconds, "CPU µs a row": None, "MiB at most": None, "MiB grown": None}
