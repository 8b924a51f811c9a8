"""A worker's work, done here."""

from __future__ import annotations

from apps.core.bus import bus
from apps.events.relay import fan_out
from apps.jobs.commands import RunNextJob
from apps.jobs.models import Job, Status


def run_jobs() -> None:
    """Run all jobs that are due."""
    while bus.execute(RunNextJob()):
        pass


def run_imports() -> None:
    """Run an import if one waits. Other jobs are left to whoever wants to cancel them."""
    if Job.objects.filter(kind="import_users", status=Status.PENDING).exists():
        # first the events so far: a client that sees the job's end must find them in the feed
        fan_out()
        bus.execute(RunNextJob())
