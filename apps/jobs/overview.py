"""Jobs on the admin's overview."""

from __future__ import annotations

from apps.core.backoffice.display import shortened
from apps.core.backoffice.links import Link, list_of, page_of
from apps.core.backoffice.overview import Content, Figure, Table, activity, capped, panel, said
from apps.jobs.models import Job, Status

LISTED = 8
UNFINISHED = (Status.STARTED, Status.PENDING, Status.RETRY)


@panel("Jobs", route="admin:jobs_job_changelist", place=40)
def jobs() -> Content:
    """What runs and waits, and the newest jobs."""
    due = Job.objects.filter(due_at__isnull=False)
    figures = []
    for status in UNFINISHED:
        count = capped(due.filter(status=status))
        tone = "warn" if status == Status.RETRY and count else ""
        figures.append(Figure(status.value, said(count), list_of("jobs.job", status__exact=status.value), tone))
    bars = activity("Jobs asked for", Job._meta.db_table, "created_at", "hour", 24)
    columns = ("id", "kind", "status", "done", "total", "error")
    rows = [
        [Link(one["kind"], page_of("jobs.job", one["id"])), one["status"], _progress(one), shortened(one["error"])]
        for one in Job.objects.order_by("-created_at").values(*columns)[:LISTED]
    ]
    return Content(figures, bars, Table(("job", "status", "done", "error"), rows), empty="No jobs yet.")


def _progress(job: dict[str, int | None]) -> str:
    return f"{job['done']:,} of {job['total']:,}" if job["total"] else f"{job['done']:,}"
