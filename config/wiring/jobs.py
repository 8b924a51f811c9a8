"""What answers the messages of jobs."""

from __future__ import annotations

from datetime import timedelta

from apps.core.bus import Bus
from apps.jobs import commands as jobs
from apps.jobs import queries as job_queries
from apps.jobs.processing import process_rows
from apps.jobs.repositories import JobQueue, Jobs
from apps.jobs.services import JobService
from apps.users.export import run_export
from apps.users.import_job import run_import
from config.container import Container


def wire(container: Container, bus: Bus) -> None:
    """Register the handlers."""
    kinds = {"process": process_rows, "import_users": run_import, "export": run_export}
    service = JobService(Jobs(), JobQueue(), kinds, timedelta(days=container.env.event_retention_days))
    bus.register(jobs.SubmitJob, service.submit)
    bus.register(jobs.CancelJob, service.cancel)
    bus.register(jobs.RetryJob, service.retry)
    bus.register(jobs.PruneJobs, service.prune)
    bus.register(jobs.RunNextJob, service.run_next)
    bus.register(job_queries.ListKinds, lambda query: sorted(kinds))
    bus.register(job_queries.GetJob, job_queries.get_job)
    bus.register(job_queries.ListJobs, job_queries.list_jobs)
    bus.register(job_queries.ReadRefusedLines, job_queries.read_refused_lines)
