"""Owners take turns, nobody has more than ten jobs that have not ended, and a job's file goes when it is done."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.errors import Conflict
from apps.jobs.commands import CancelJob, PruneJobs, RetryJob, RunNextJob, SubmitJob
from apps.jobs.models import Chunk, Job
from apps.jobs.repositories import JobQueue, Jobs
from apps.jobs.run import Handler, JobError, Run
from apps.jobs.services import INPUT_KEPT, MOST_UNFINISHED, JobService, TooManyJobs
from apps.users.commands import UserSnapshot
from tests.core.racing import at_once
from tests.waiting import wait_for

Register = Callable[..., UserSnapshot]
TABLE = b'{"rows":[{"a":1}]}'


def submit(owner: UserSnapshot | None, kind: str = "process") -> uuid.UUID:
    return bus.execute(SubmitJob(kind, owner.id if owner else None, {}, total=1, upload=io.BytesIO(TABLE)))


def run_with(handler: Handler) -> bool:
    """Claim the next job and do its work with `handler`."""
    return JobService(Jobs(), JobQueue(), {"process": handler}, timedelta(days=30)).run_next(RunNextJob())


def served() -> list[int | None]:
    """Run every job that is due; returns their owners in that order."""
    order: list[int | None] = []

    def note(run: Run) -> dict[str, Any]:
        order.append(run.job.owner_id)
        return {}

    while run_with(note):
        pass
    return order


@pytest.mark.django_db
class TestTurns:
    """The next job is that of the owner who was served longest ago."""

    def test_owners_take_turns_however_many_jobs_they_have(self, register: Register) -> None:
        ada, bob, eve = (register(f"{name}@example.com") for name in ("ada", "bob", "eve"))
        for owner in [ada] * 5 + [bob] * 2 + [eve]:
            submit(owner)
        assert served() == [owner.id for owner in (ada, bob, eve, ada, bob, ada, ada, ada)]

    def test_who_comes_while_a_job_runs_goes_before_its_owners_next(self, register: Register) -> None:
        ada, bob = register("ada@example.com"), register("bob@example.com")
        for _ in range(3):
            submit(ada)

        def long(run: Run) -> dict[str, Any]:
            submit(bob)
            return {}

        run_with(long)
        assert served() == [bob.id, ada.id, ada.id]

    def test_who_comes_goes_before_a_job_that_has_used_its_time_up(self, register: Register) -> None:
        ada, bob = register("ada@example.com"), register("bob@example.com")
        submit(ada)

        def too_long(run: Run) -> dict[str, Any]:
            run.report(1, checkpoint={"at": 1})
            submit(bob)
            raise SoftTimeLimitExceeded

        run_with(too_long)
        assert served() == [bob.id, ada.id]

    def test_two_workers_serve_two_owners(self, register: Register) -> None:
        ada, bob = register("ada@example.com"), register("bob@example.com")
        first = submit(ada)
        submit(ada)
        import_of_bob = submit(bob)

        def other_worker(run: Run) -> dict[str, Any]:
            taken = JobQueue().claim()
            return {"taken": str(taken)}

        run_with(other_worker)
        job = Job.objects.get(id=first)
        assert job.result == {"taken": str(import_of_bob)}

    def test_jobs_without_an_owner_come_in_the_order_they_were_asked_for(self, register: Register) -> None:
        ada = register()
        for owner in (None, ada, None, ada):
            submit(owner)
        assert served() == [None, ada.id, None, ada.id]

    def test_a_claim_looks_at_a_few_rows_of_very_many(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("""
                INSERT INTO jobs_job (id, kind, status, attempts, last_error, done, input, error, request_id)
                SELECT gen_random_uuid(), 'process', 'PENDING', 0, '', 0, '{}', '', ''
                FROM generate_series(1, 10000)""")
            cursor.execute("ANALYZE jobs_job")
            with CaptureQueriesContext(connection) as seen:
                JobQueue().claim()
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + seen.captured_queries[0]["sql"])
            plan = cursor.fetchone()[0][0]["Plan"]
        assert "jobs_turn" in str(plan)
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 60


class TestTheBound:
    """Nobody has more than ten jobs that have not ended."""

    @pytest.mark.django_db(transaction=True)
    def test_fifty_at_once_never_exceed_it(self, register: Register) -> None:
        ada, bob = register("ada@example.com"), register("bob@example.com")
        outcomes = at_once(50, lambda number: submit(ada))
        refused = [outcome for outcome in outcomes if isinstance(outcome, TooManyJobs)]
        assert len(refused) == 50 - MOST_UNFINISHED
        assert Job.objects.filter(owner_id=ada.id).count() == MOST_UNFINISHED
        assert Chunk.objects.count() == MOST_UNFINISHED, "what is refused leaves nothing"
        submit(bob)

    @pytest.mark.django_db(transaction=True)
    def test_workers_that_claim_at_once_never_block_each_other(self, register: Register) -> None:
        ada = register()
        for _ in range(MOST_UNFINISHED):
            submit(ada)
        # a worker that finds every row held by others at that moment asks again, as the next wake-up does
        at_once(MOST_UNFINISHED, lambda number: wait_for(lambda: run_with(lambda run: {}), "a job is free"))
        assert set(Job.objects.values_list("status", "attempts")) == {("SUCCESS", 1)}

    @pytest.mark.django_db
    def test_it_is_told_over_http_and_ends_with_a_job(
        self, register: Register, client_of: Callable[..., APIClient]
    ) -> None:
        client = client_of(register())
        for _ in range(MOST_UNFINISHED):
            assert client.post("/api/v1/process", {"rows": []}).status_code == 202
        refused = client.post("/api/v1/process", {"rows": []}, headers={"Idempotency-Key": "k"})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_jobs")
        assert int(refused.headers["Retry-After"]) > 0
        assert f"You have {MOST_UNFINISHED} jobs" in refused.json()["detail"]
        bus.execute(CancelJob(Job.objects.all()[0].id))
        again = client.post("/api/v1/process", {"rows": []}, headers={"Idempotency-Key": "k"})
        assert again.status_code == 202, "a refusal is not kept under the key"


@pytest.mark.django_db
class TestInputs:
    """What a job was given is deleted once nobody needs it."""

    def end(self, handler: Handler) -> Job:
        submit(None)
        run_with(handler)
        return Job.objects.get()

    def test_they_go_with_success(self) -> None:
        def good(run: Run) -> dict[str, Any]:
            run.report(1, checkpoint={"row": "of somebody"})
            return {"rows": 1}

        job = self.end(good)
        assert (job.status, job.input, job.checkpoint) == ("SUCCESS", None, None)
        assert not Chunk.objects.exists()

    @pytest.mark.parametrize("how", ["failed", "cancelled"])
    def test_a_job_that_can_be_run_again_keeps_them_for_a_week(self, how: str) -> None:
        def bad(run: Run) -> dict[str, Any]:
            if how == "failed":
                raise JobError("no such luck")
            bus.execute(CancelJob(run.job.id))
            run.report(1)
            raise AssertionError("it went on")

        job = self.end(bad)
        service = JobService(Jobs(), JobQueue(), {}, timedelta(days=30), prune_batch=1)
        ended = Job.objects.filter(id=job.id)
        ended.update(finished_at=Now() - INPUT_KEPT + timedelta(minutes=1))
        assert service.prune(PruneJobs()) == 0
        assert Chunk.objects.exists()
        ended.update(finished_at=Now() - INPUT_KEPT - timedelta(minutes=1))
        assert service.prune(PruneJobs()) == 0
        assert (Chunk.objects.count(), ended.get().input) == (0, None)
        with pytest.raises(Conflict, match="deleted 7 days after its end; ask for it anew"):
            bus.execute(RetryJob(job.id))

    def test_one_that_is_run_again_in_time_still_has_them(self) -> None:
        job = self.end(lambda run: (_ for _ in ()).throw(JobError("not today")))
        bus.execute(RetryJob(job.id))
        bus.execute(RunNextJob())
        job.refresh_from_db()
        assert (job.status, job.result and job.result["rows"]) == ("SUCCESS", 1)

    def test_a_file_that_is_still_coming_in_is_no_file(self) -> None:
        class Body(io.RawIOBase):
            """A request's body as a server gives it: it can be read once, while the client sends."""

        with pytest.raises(io.UnsupportedOperation):
            bus.execute(SubmitJob("process", None, {}, upload=io.BufferedReader(Body())))
        assert not Job.objects.exists()

    def test_a_job_of_the_version_before_brings_its_rows_in_its_row(self) -> None:
        bus.execute(SubmitJob("process", None, {"rows": [{"a": 1}, {"a": 2}]}, total=2))
        bus.execute(RunNextJob())
        job = Job.objects.get()
        assert job.result
        assert (job.result["rows"], job.result["columns"]["a"]["mean"], job.input) == (2, 1.5, None)


@pytest.mark.django_db
@pytest.mark.parametrize("words", ["a NUL \0", "half a character \ud800", "x" * 5000])
def test_an_error_whatever_it_quotes_is_the_jobs_own_outcome(words: str) -> None:
    submit(None)

    def quoting(run: Run) -> dict[str, Any]:
        raise ValueError(words)

    assert run_with(quoting) is True
    job = Job.objects.get()
    assert (job.status, job.error[:17]) == ("RETRY", f"ValueError: {words[:5]}")
