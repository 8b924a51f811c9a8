"""A large import among real processes: it survives its worker, and ends when it is cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from billiard.pool import SIG_SOFT_TIMEOUT
from django.db.models.functions import Now

from apps.core.bus import bus
from apps.jobs.models import Job, RefusedLines
from apps.users.commands import IssueToken, RegisterUser
from apps.users.models import User
from tests import loopback
from tests.processes import Processes
from tests.waiting import wait_for

STAFF = "staff@example.com"
LINES = 30_000
EVERY = 10


@dataclass
class Import:
    """An import that a worker is busy with."""

    http: httpx.Client
    path: str

    @property
    def job(self) -> Job:
        """The job's row as it is now."""
        return Job.objects.get(id=self.path.rpartition("/")[2])

    @property
    def counted(self) -> int:
        """How many users its checkpoint counts as made."""
        return int((self.job.checkpoint or {})["created"])

    def task(self) -> dict[str, Any]:
        """The job as the API shows it."""
        answer: dict[str, Any] = self.http.get(self.path).json()
        return answer

    def under_way(self) -> None:
        """Wait until a part of it is committed."""
        wait_for(lambda: self.job.done, "the import is under way")


@pytest.fixture
def started(processes: Processes) -> Iterator[Import]:
    """Posted to a real web server and relayed; every tenth line has no e-mail address. The test starts the workers."""
    token = bus.execute(IssueToken(bus.execute(RegisterUser(STAFF, "Staff", is_staff=True)).email))
    body = "email,name\n" + "".join(f"u{i}{'@example.com' * bool(i % EVERY)},U\n" for i in range(LINES))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
    processes.relay()
    with loopback.client(base_url=processes.web().url, headers=headers, timeout=20) as http:
        answer = http.post("/api/v1/users/import", content=body.encode())
        assert answer.status_code == 202, answer.text
        yield Import(http, answer.headers["Location"])


def test_its_worker_is_killed_and_another_goes_on_from_the_last_batch(started: Import, processes: Processes) -> None:
    worker = processes.worker(queues="jobs", concurrency=1)
    started.under_way()
    worker.kill()
    job = started.job
    assert job.status == "STARTED"
    assert 0 < job.done < LINES, "it was killed in the middle"
    made = User.objects.filter(email__startswith="u").count()
    assert made == started.counted == job.done * (EVERY - 1) // EVERY
    # as the lease runs out
    Job.objects.update(due_at="2020-01-01T00:00:00Z")
    processes.worker(queues="jobs", concurrency=1)
    wait_for(lambda: started.task()["status"] == "SUCCESS", "the import ends")
    result = started.task()["result"]
    assert (result["total"], result["rejected"]) == (LINES, LINES // EVERY)
    assert User.objects.filter(email__startswith="u").count() == result["created"] == LINES - LINES // EVERY
    refused = started.http.get(f"{started.path}/errors").text.splitlines()[1:]
    assert [int(line.partition(",")[0]) for line in refused] == list(range(2, LINES + 2, EVERY))


def test_a_worker_that_is_stopped_hands_it_over_at_once(started: Import, processes: Processes) -> None:
    worker = processes.worker(queues="jobs", concurrency=1)
    started.under_way()
    worker.stop(30)
    job = started.job
    assert (job.status, job.token, job.attempts) == ("RETRY", None, 0)
    assert Job.objects.filter(due_at__lte=Now()).exists(), "it waits for no lease"
    assert User.objects.filter(email__startswith="u").count() == started.counted
    processes.worker(queues="jobs", concurrency=1)
    wait_for(lambda: started.task()["status"] == "SUCCESS", "the import ends")
    assert User.objects.filter(email__startswith="u").count() == LINES - LINES // EVERY


def test_it_is_cancelled_between_two_batches(started: Import, processes: Processes) -> None:
    worker = processes.worker(queues="jobs", concurrency=1)
    started.under_way()
    answer = started.http.delete(started.path)
    assert (answer.status_code, answer.json()["status"]) == (202, "REVOKED")
    done = started.job.done
    wait_for(lambda: any(line.get("event") == "job_let_go" for line in worker.lines()), "the worker lets go")
    job = started.job
    assert (job.status, job.done) == ("REVOKED", done), "nothing was done after the answer"
    assert done < LINES
    assert User.objects.filter(email__startswith="u").count() == started.counted
    refused = sum(bytes(data).count(b"\n") for data in RefusedLines.objects.values_list("data", flat=True))
    assert refused * EVERY == done


def test_past_the_time_limit_it_goes_on_in_a_new_attempt(started: Import, processes: Processes) -> None:
    worker = processes.worker(queues="jobs", concurrency=1)
    started.under_way()
    child, _ = worker.tree()
    # as Celery does at the soft time limit; timed by the clock, a slow machine would not get this far
    child.send_signal(SIG_SOFT_TIMEOUT)
    wait_for(lambda: started.task()["status"] in ("SUCCESS", "FAILURE"), "the import ends")
    assert started.task()["status"] == "SUCCESS", started.task()["error"]
    assert any(line.get("event") == "job_goes_on" for line in worker.lines()), "it was cut off"
    assert User.objects.filter(email__startswith="u").count() == LINES - LINES // EVERY
