"""Reads of jobs."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from apps.core.bus import Query
from apps.core.errors import NotFound
from apps.jobs.models import Job

COLUMNS = ("id", "kind", "status", "done", "total", "result", "error")


@dataclass(frozen=True)
class GetJob(Query[dict[str, Any]]):
    """A job as its owner and staff see it; to others there is none. Refused with NotFound."""

    job_id: uuid.UUID
    caller_id: int
    caller_is_staff: bool


@dataclass(frozen=True)
class ListJobs(Query[list[dict[str, Any]]]):
    """The newest `limit` jobs."""

    limit: int = 50


def get_job(query: GetJob) -> dict[str, Any]:
    """One statement."""
    jobs = Job.objects.filter(id=query.job_id)
    if not query.caller_is_staff:
        jobs = jobs.filter(owner_id=query.caller_id)
    row = jobs.values(*COLUMNS).first()
    if row is None:
        raise NotFound(f"There is no task {query.job_id}.")
    return {
        "task_id": str(row["id"]),
        "kind": row["kind"],
        "status": row["status"],
        "progress": {"done": row["done"], "total": row["total"]},
        "result": row["result"],
        "error": row["error"] or None,
    }


def list_jobs(query: ListJobs) -> list[dict[str, Any]]:
    """One statement."""
    columns = (
        "id",
        "kind",
        "status",
        "done",
        "total",
        "attempts",
        "owner__email",
        "created_at",
        "finished_at",
        "error",
    )
    return list(Job.objects.order_by("-created_at").values(*columns)[: query.limit])
