"""Background tasks: of 20 jobs one loses its worker (SIGKILL); then the broker is wiped, and a new worker starts."""

from __future__ import annotations

import io
import json
import os
import signal
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from celery import Celery
from django.db import connection

from apps.core.bus import bus
from apps.events.relay import Relay
from apps.jobs.commands import RunNextJob, SubmitJob
from apps.jobs.models import Job, Status
from apps.jobs.processing import process_rows
from apps.jobs.repositories import JobQueue, Jobs
from apps.jobs.run import Run
from apps.jobs.services import JobService
from config.celery import app
from config.compare.naive import background_tasks
from config.compare.outcome import Comparison, Figures, only_naive_has
from config.compare.processes import Forked, wait_for
from config.compare.world import fresh, valkey

JOBS, DEADLY = 20, 10
# a job is known by its first number
TABLES = [[{"n": number}, {"n": number + 2}] for number in range(JOBS)]
END_LEASES = "UPDATE jobs_job SET due_at = statement_timestamp() WHERE due_at IS NOT NULL"


def naive() -> Figures:
    """Jobs as Celery's introduction shows them."""
    fresh()
    with tempfile.TemporaryDirectory() as folder:
        return _naive(_Killer(folder))


def _naive(kill: _Killer) -> Figures:
    compute = background_tasks.heavy_computation

    def work() -> None:
        def computed(rows: Any) -> dict[str, float]:
            kill.once(rows[0]["n"])
            return compute(rows)

        with patch.object(background_tasks, "heavy_computation", computed):
            _work(background_tasks.celery_app, "celery")

    ids = [background_tasks.submit(rows) for rows in TABLES]
    killed = Forked(work).ended()
    done = sum(background_tasks.result(task_id)["status"] == "SUCCESS" for task_id in ids)
    _wipe()
    worker = Forked(work)
    last = background_tasks.submit([{"n": JOBS}])
    # the worker takes messages in their order: whatever was left has been done before this one
    wait_for(lambda: background_tasks.result(last)["status"] == "SUCCESS", "the new worker works")
    worker.kill()
    answers = [background_tasks.result(task_id)["status"] for task_id in ids]
    return _figures(killed, done, JOBS - done - answers.count("SUCCESS"), answers.count("SUCCESS"))


def ours() -> Figures:
    """The service's jobs, run by its own Celery application; the relay wakes the worker."""
    fresh()
    with tempfile.TemporaryDirectory() as folder:
        return _ours(_Killer(folder))


def _ours(kill: _Killer) -> Figures:

    def handler(run: Run) -> dict[str, Any]:
        with run.upload() as file:
            kill.once(json.load(file)["rows"][0]["n"])
        return process_rows(run)

    def work() -> None:
        service = JobService(Jobs(), JobQueue(), {"process": handler}, timedelta(days=1))
        with bus.replaced(RunNextJob, service.run_next):
            _work(app, "jobs")

    for rows in TABLES:
        upload = io.BytesIO(json.dumps({"rows": rows}).encode())
        bus.execute(SubmitJob("process", None, {}, total=len(rows), upload=upload))
    # one that sees the same work for long asks less often, which this run need not wait for
    worker, relay = Forked(work), Relay()
    wait_for(lambda: [relay.turn(), kill.has_killed][1], "the worker is killed")
    killed = worker.ended()
    done = Job.objects.filter(status=Status.SUCCESS).count()
    _wipe()
    with connection.cursor() as cursor:
        # as it does 30 seconds later: the killed worker's lease ends
        cursor.execute(END_LEASES)
    worker, relay = Forked(work), Relay()
    unfinished = Job.objects.filter(finished_at=None)
    wait_for(lambda: [relay.turn(), not unfinished.exists()][1], "the new worker has done the rest")
    worker.kill()
    kept = Job.objects.filter(status=Status.SUCCESS, result__columns__n__count=2).count()
    return _figures(killed, done, unfinished.count(), kept)


class _Killer:
    """Ends the process that does the deadly job, the first time."""

    def __init__(self, folder: str) -> None:
        self._mark = Path(folder, "killed")

    @property
    def has_killed(self) -> bool:
        return self._mark.exists()

    def once(self, number: int) -> None:
        """To be called in the middle of the job `number`."""
        if number == DEADLY and not self.has_killed:
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def _work(app: Celery, *queues: str) -> None:
    """Be a Celery worker until somebody ends it."""
    app.Worker(
        pool="solo", queues=queues, loglevel="ERROR", quiet=True, without_gossip=True, without_mingle=True
    ).start()


def _wipe() -> None:
    with valkey() as server:
        server.flushall()


def _figures(killed: int | None, done: int, never: int, answers: int) -> Figures:
    return {
        "jobs_accepted": JOBS,
        "workers_killed": int(killed == -signal.SIGKILL),
        "done_before_the_broker_was_wiped": done,
        "jobs_never_done": never,
        "jobs_without_a_result": JOBS - answers,
    }


COMPARISON = Comparison(
    promise="A job that was accepted is done and its result is kept, whatever happens to the broker and the workers.",
    headline="jobs_without_a_result",
    naive=naive,
    ours=ours,
    kept=lambda naive, ours: (
        naive["workers_killed"] == ours["workers_killed"] == 1
        and only_naive_has("jobs_never_done", "jobs_without_a_result")(naive, ours)
    ),
)
