"""Background tasks: without the row a job is lost with the broker or its worker, and its result with the broker too."""

from __future__ import annotations

import io
import json
import random
import statistics
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db.models.functions import Now
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events.models import OutboxEvent
from apps.jobs.commands import RetryJob, RunNextJob, SubmitJob
from apps.jobs.models import Job
from apps.jobs.repositories import JobQueue, Jobs
from apps.jobs.run import Handler, JobError, Run
from apps.jobs.services import BACKOFF, JobService
from apps.users.commands import UserSnapshot
from tests.processes import Processes
from tests.waiting import wait_for

Register = Callable[..., UserSnapshot]
ClientOf = Callable[[UserSnapshot | None], APIClient]


def finished() -> list[tuple[str, str]]:
    """Job id and status of each `job.finished`."""
    events = OutboxEvent.objects.filter(type="job.finished").order_by("id")
    return [(data["task_id"], data["status"]) for data in events.values_list("data", flat=True)]


def make_due(job_id: uuid.UUID | str) -> None:
    """Let the lease or the wait of a job run out, as time would."""
    Job.objects.filter(id=job_id, due_at__isnull=False).update(due_at=Now())


def run_with(handler: Handler) -> None:
    """Claim the next job and do its work with `handler`."""
    JobService(Jobs(), JobQueue(), {"process": handler}, timedelta(days=1)).run_next(RunNextJob())


def submit(owner: UserSnapshot | None = None, size: int = 10) -> uuid.UUID:
    table = io.BytesIO(json.dumps({"rows": [{"n": n} for n in range(size)]}).encode())
    return bus.execute(SubmitJob("process", owner.id if owner else None, {}, total=size, upload=table))


class TestSurvival:
    """What was answered 202 is done, whatever dies in between."""

    def test_a_broker_wiped_before_any_worker_runs(
        self, processes: Processes, register: Register, client_of: ClientOf, valkey: redis.Redis
    ) -> None:
        client = client_of(register())
        answer = client.post("/api/v1/process", {"rows": [{"n": 1}, {"n": 3}]})
        assert answer.status_code == 202
        valkey.flushdb()
        processes.relay()
        wait_for(lambda: valkey.llen(f"{settings.VALKEY_PREFIX}jobs"), "the relay has put a wake-up on the broker")
        valkey.flushdb()
        processes.worker(queues="jobs", concurrency=1)
        where = answer.headers["Location"]
        task = wait_for(lambda: _ended(client, where), "the job ends")
        assert task["status"] == "SUCCESS"
        assert task["result"]["columns"]["n"]["mean"] == 2

    def test_a_worker_killed_in_the_middle_of_a_job(self, processes: Processes) -> None:
        size = 300_000
        job_id = submit(size=size)
        jobs = Job.objects.filter(id=job_id)
        processes.relay()
        victim = processes.worker(queues="jobs", concurrency=1)
        wait_for(lambda: jobs.filter(done__gt=0).exists(), "the job is under way")
        victim.kill()
        job = jobs.defer("input").get()
        assert (job.status, job.attempts) == ("STARTED", 1), "it was killed in the middle"
        assert 0 < job.done < size
        make_due(job_id)
        processes.worker(queues="jobs", concurrency=1)
        wait_for(lambda: jobs.exclude(finished_at=None).exists(), "the job ends")
        job = jobs.defer("input").get()
        assert (job.status, job.attempts, job.done) == ("SUCCESS", 2, size)
        assert job.result
        assert job.result["columns"]["n"]["mean"] == pytest.approx((size - 1) / 2)
        assert finished() == [(str(job_id), "SUCCESS")]


def _ended(client: APIClient, where: str) -> dict[str, Any]:
    task: dict[str, Any] = client.get(where).json()
    return task if task["status"] in ("SUCCESS", "FAILURE", "REVOKED") else {}


@pytest.mark.django_db
class TestOverHttp:
    """From the request to the result."""

    def test_the_result_is_what_pythons_own_statistics_say(self, register: Register, client_of: ClientOf) -> None:
        client = client_of(register())
        numbers = [random.uniform(-1e6, 1e6) for _ in range(2500)]
        answer = client.post("/api/v1/process", {"rows": [{"x": x, "label": "a"} for x in numbers]})
        task_id = answer.json()["task_id"]
        assert answer.headers["Location"] == f"/api/v1/tasks/{task_id}"
        waiting = client.get(answer.headers["Location"]).json()
        assert waiting == {
            "task_id": task_id,
            "kind": "process",
            "status": "PENDING",
            "progress": {"done": 0, "total": 2500},
            "result": None,
            "error": None,
        }
        assert bus.execute(RunNextJob()) is True
        assert bus.execute(RunNextJob()) is False
        task = client.get(answer.headers["Location"]).json()
        assert (task["status"], task["progress"]) == ("SUCCESS", {"done": 2500, "total": 2500})
        assert task["result"]["rows"] == 2500
        x = task["result"]["columns"]["x"]
        assert (x["min"], x["max"], x["count"]) == (min(numbers), max(numbers), 2500)
        assert x["mean"] == pytest.approx(statistics.fmean(numbers), rel=1e-9)
        assert x["stddev"] == pytest.approx(statistics.stdev(numbers), rel=1e-9)

    def test_others_do_not_learn_that_a_job_is_there(
        self, register: Register, client_of: ClientOf, staff: APIClient, anyone: APIClient
    ) -> None:
        ada, eve = register("ada@example.com"), client_of(register("eve@example.com"))
        where, nowhere = f"/api/v1/tasks/{submit(ada)}", f"/api/v1/tasks/{uuid.uuid4()}"
        for method in (eve.get, eve.delete):
            refused, unknown = method(where), method(nowhere)
            assert refused.status_code == unknown.status_code == 404
            assert refused.json()["code"] == unknown.json()["code"] == "not_found"
        assert anyone.get(where).status_code == 401
        assert staff.get(where).status_code == 200

    def test_cancelling_stops_a_running_job_and_drops_its_work(self, register: Register, client_of: ClientOf) -> None:
        ada = register()
        client = client_of(ada)
        where = f"/api/v1/tasks/{submit(ada)}"
        reported = []

        def slow(run: Run) -> dict[str, Any]:
            for step in (1, 2, 3):
                run.report(step)
                reported.append(step)
                if step == 2:
                    answer = client.delete(where)
                    assert (answer.status_code, answer.json()["status"]) == (202, "REVOKED")
            raise AssertionError("it went on")

        run_with(slow)
        assert reported == [1, 2]
        assert client.get(where).json()["status"] == "REVOKED"
        again = client.delete(where)
        assert (again.status_code, again.json()["code"]) == (409, "already_finished")
        assert [status for _, status in finished()] == ["REVOKED"]

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({}, ["/rows"]),
            ({"rows": "many"}, ["/rows"]),
            ({"rows": {"a": 1}}, ["/rows"]),
            ({"rows": [{"a": 1}, 2, None, {}]}, ["/rows/1", "/rows/2"]),
        ],
    )
    def test_what_is_no_table_is_refused(
        self, register: Register, client_of: ClientOf, body: dict[str, Any], pointers: list[str]
    ) -> None:
        answer = client_of(register()).post("/api/v1/process", body)
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == pointers
        assert not Job.objects.exists()


@pytest.mark.django_db
class TestFailures:
    """A failing job is tried again, and tells its owner why it failed."""

    @pytest.fixture
    def look(self, register: Register, client_of: ClientOf) -> Callable[[], dict[str, Any]]:
        """The job as its owner sees it."""
        ada = register()
        client, where = client_of(ada), f"/api/v1/tasks/{submit(ada)}"
        return lambda: dict(client.get(where).json())

    def test_a_hopeless_one_says_why(self, look: Callable[[], dict[str, Any]]) -> None:
        def hopeless(run: Run) -> dict[str, Any]:
            raise JobError("Column `price` holds no numbers.")

        run_with(hopeless)
        assert (look()["status"], look()["error"]) == ("FAILURE", "Column `price` holds no numbers.")

    def test_a_hapless_one_is_seen_to_be_tried_again(self, look: Callable[[], dict[str, Any]]) -> None:
        def hapless(run: Run) -> dict[str, Any]:
            raise ConnectionError("no route")

        run_with(hapless)
        assert (look()["status"], look()["error"]) == ("RETRY", "ConnectionError: no route")
        assert bus.execute(RunNextJob()) is False, "it waits before the next attempt"
        make_due(look()["task_id"])
        assert bus.execute(RunNextJob()) is True
        assert (look()["status"], look()["error"]) == ("SUCCESS", None)

    def test_it_fails_in_the_end_and_can_be_run_again(self, look: Callable[[], dict[str, Any]]) -> None:
        def hapless(run: Run) -> dict[str, Any]:
            raise ConnectionError("no route")

        for _ in range(BACKOFF.max_attempts):
            run_with(hapless)
            make_due(look()["task_id"])
        assert look()["status"] == "FAILURE"
        assert "no route" in look()["error"]
        bus.execute(RetryJob(uuid.UUID(look()["task_id"])))
        bus.execute(RunNextJob())
        assert look()["status"] == "SUCCESS"

    def test_one_that_gets_nowhere_in_its_time_is_tried_again_and_given_up(
        self, look: Callable[[], dict[str, Any]]
    ) -> None:
        def slow(run: Run) -> dict[str, Any]:
            raise SoftTimeLimitExceeded

        for _ in range(BACKOFF.max_attempts):
            assert look()["status"] in ("PENDING", "RETRY")
            run_with(slow)
            make_due(look()["task_id"])
        assert look()["status"] == "FAILURE"
        assert "it took longer than the time limit" in look()["error"]

    def test_one_that_kills_its_worker_each_time_is_given_up(self, look: Callable[[], dict[str, Any]]) -> None:
        class Killed(BaseException):
            """Ends the worker's code as SIGKILL would: nothing there catches it."""

        def deadly(run: Run) -> dict[str, Any]:
            raise Killed

        for _ in range(BACKOFF.max_attempts):
            with pytest.raises(Killed):
                run_with(deadly)
            make_due(look()["task_id"])
        run_with(deadly)
        assert look()["status"] == "FAILURE"
        assert "took its worker down" in look()["error"]

    def test_a_kind_that_this_version_does_not_know(self, look: Callable[[], dict[str, Any]]) -> None:
        Job.objects.update(kind="from the future")
        bus.execute(RunNextJob())
        assert look()["status"] == "FAILURE"
        assert "from the future" in look()["error"]
