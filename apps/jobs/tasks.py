"""Celery tasks of jobs. A message says only "there is work"; the job's row says what."""

from __future__ import annotations

from celery import shared_task

from apps.core.bus import bus
from apps.jobs.commands import PruneJobs, RunNextJob


@shared_task(name="jobs.run")
def run() -> None:
    """Run one due job."""
    bus.execute(RunNextJob())


@shared_task(name="jobs.prune")
def prune() -> None:
    """Delete jobs that ended long ago."""
    bus.execute(PruneJobs())
