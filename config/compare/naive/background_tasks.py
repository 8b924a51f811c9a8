"""Background tasks, naive: the job is a message on the broker, its result a key in the result backend."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from celery import Celery
from django.conf import settings

celery_app = Celery("tasks", set_as_current=False)
celery_app.conf.update(
    broker_url=settings.ENV.redis_url,
    result_backend=settings.ENV.redis_url,
    task_serializer="json",
    accept_content=["json"],
    result_serializer="json",
    task_track_started=True,
    task_time_limit=300,
    task_soft_time_limit=240,
)


def heavy_computation(rows: Sequence[dict[str, int]]) -> dict[str, float]:
    """The mean of a column."""
    return {"mean": mean(row["n"] for row in rows)}


@celery_app.task(bind=True, max_retries=3)
def process_data(self: Any, rows: list[dict[str, int]]) -> dict[str, float]:
    """The job."""
    try:
        return heavy_computation(rows)
    except Exception as error:
        raise self.retry(exc=error, countdown=2**self.request.retries) from error


def submit(rows: list[dict[str, int]]) -> str:
    """POST /process; the id to ask for."""
    return str(process_data.delay(rows).id)


def result(task_id: str) -> dict[str, Any]:
    """GET /tasks/{task_id}"""
    task = celery_app.AsyncResult(task_id)
    return {"status": task.status, "result": task.result if task.ready() else None}
