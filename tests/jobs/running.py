"""A worker's work, done here."""

from __future__ import annotations

from apps.core.bus import bus
from apps.jobs.commands import RunNextJob


def run_jobs() -> None:
    """Run all jobs that are due."""
    while bus.execute(RunNextJob()):
        pass
