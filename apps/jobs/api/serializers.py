"""Bodies and answers of the jobs' routes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.components import UNKNOWN_MEMBERS, example
from apps.jobs.models import Status

TASK_ID = "8f14e45f-ceea-467f-a8d2-8c0d9d1c2b3a"
# a schema, not a serializer: a row may hold anything that JSON knows
TABLE: dict[str, Any] = {
    "type": "object",
    "required": ["rows"],
    "properties": {
        "rows": {
            "type": "array",
            "items": {"type": "object", **UNKNOWN_MEMBERS},
        }
    },
    **UNKNOWN_MEMBERS,
    "example": {"rows": [{"city": "London", "people": 8.9}, {"city": "Paris", "people": 2.1}]},
}


@extend_schema_field({"description": "What came of it, by kind of job; null until then."})
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
    result = Result()
    error = serializers.CharField(allow_null=True)
