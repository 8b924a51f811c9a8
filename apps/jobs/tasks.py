"""Celery tasks of jobs. A wake-up says only "there is work"; the job's row says what."""

from __future__ import annotations

from apps.core.bus import bus
from apps.core.queue.work_queue import due_in, task
from apps.jobs.commands import PruneJobs, RunNextJob


@task("jobs.run", queue="jobs", due=due_in("jobs_job"))
def run() -> None:
    """Run one due job."""
    bus.execute(RunNextJob())


@task("jobs.prune", queue="jobs", every=3600)
def prune() -> None:
    """Delete jobs that ended long ago, and what they were given."""
    bus.execute(PruneJobs())
