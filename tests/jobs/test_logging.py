"""What a worker writes about a job holds no secret."""

from __future__ import annotations

import json

from celery import current_app

from apps.jobs.models import Job
from tests.conftest import PASSWORD
from tests.processes import Processes
from tests.waiting import wait_for


def test_an_error_that_quotes_its_input_shows_nothing_of_it(processes: Processes) -> None:
    worker = processes.worker(concurrency=1, LOG_LEVEL="DEBUG", PYTHONWARNINGS="ignore:You're running the worker")
    # kept as the job's error, and raised once more on its last attempt
    Job.objects.create(kind="process", input={"rows": f"postgres://app:{PASSWORD}@127.0.0.1/app ada@example.com"})
    current_app.send_task("jobs.run", queue="jobs")
    wait_for(lambda: any(line["event"].startswith("job_") for line in worker.lines()), "the job is tried")
    written = worker.log.read_text()
    assert PASSWORD not in written
    assert "ada@" not in written
    for line in written.splitlines():
        assert isinstance(json.loads(line), dict), f"{worker.log}: {line}"
