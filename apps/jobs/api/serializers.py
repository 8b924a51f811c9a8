"""Bodies and answers of the jobs' routes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.components import ANY_OBJECT, example
from apps.jobs.models import Status

TASK_ID = "8f14e45f-ceea-467f-a8d2-8c0d9d1c2b3a"


@extend_schema_field(ANY_OBJECT | {"description": "A row: columns and values, whatever JSON knows but for NUL."})
class Row(serializers.DictField):
    """One row of a table."""


@example({"rows": [{"city": "London", "people": 8.9}, {"city": "Paris", "people": 2.1}]})
class Table(serializers.Serializer[Any]):
    """The body of POST /process: a table, row by row."""

    rows = serializers.ListField(child=Row())


@extend_schema_field(ANY_OBJECT | {"description": "What came of it, by kind of job; null until then."})
class Result(serializers.JSONField):
    """Whatever the job has made."""


@example({"task_id": TASK_ID})
class TaskAccepted(serializers.Serializer[Any]):
    """The answer of a route that starts a job."""

    task_id = serializers.UUIDField()


class Progress(serializers.Serializer[Any]):
    """How far a job is; `total` is null until it is known."""

    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)


@example(
    {
        "task_id": TASK_ID,
        "kind": "process",
        "status": "STARTED",
        "progress": {"done": 400, "total": 1000},
        "result": None,
        "error": None,
    }
)
class Task(serializers.Serializer[Any]):
    """A background job."""

    task_id = serializers.UUIDField()
    kind = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    progress = Progress()
    result = Result(allow_null=True)
    error = serializers.CharField(allow_null=True)
