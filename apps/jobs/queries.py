"""Reads of jobs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from apps.core.bus import Query
from apps.core.errors import NotFound
from apps.core.refused_lines import HEADER
from apps.jobs.models import Job, RefusedLines

COLUMNS = ("id", "kind", "status", "done", "total", "result", "error")


@dataclass(frozen=True)
class GetJob(Query[dict[str, Any]]):
    """A job as its owner and staff see it, a private one its owner; to others there is none. Refused with NotFound."""

    job_id: uuid.UUID
    caller_id: int
    caller_is_staff: bool


@dataclass(frozen=True)
class ListJobs(Query[list[dict[str, Any]]]):
    """The newest `limit` jobs."""

    limit: int = 50


@dataclass(frozen=True)
class ListKinds(Query[list[str]]):
    """The kinds of jobs that there are, sorted."""


@dataclass(frozen=True)
class ReadRefusedLines(Query[Iterator[bytes]]):
    """The lines that a job refused so far, as CSV in pieces with a header. Refused with NotFound if there are none."""

    job_id: uuid.UUID


def get_job(query: GetJob) -> dict[str, Any]:
    """The job as `GetJob` describes it; one statement."""
    jobs = Job.objects.filter(id=query.job_id)
    own = Q(owner_id=query.caller_id)
    jobs = jobs.filter(own | Q(private=False) if query.caller_is_staff else own)
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
    """The jobs that `ListJobs` asks for; one statement."""
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


def read_refused_lines(query: ReadRefusedLines) -> Iterator[bytes]:
    """The CSV in pieces: one statement now, and one for each piece as it is read, so one at a time is in memory."""
    rows = RefusedLines.objects.filter(job_id=query.job_id).order_by("id")
    if not rows.exists():
        raise NotFound(f"Task {query.job_id} has refused no lines.")
    return _pieces(rows)


def _pieces(rows: QuerySet[RefusedLines]) -> Iterator[bytes]:
    yield HEADER
    last = 0
    while row := rows.filter(id__gt=last).values_list("id", "data").first():
        last, data = row
        yield bytes(data)
