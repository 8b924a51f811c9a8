"""Bodies and answers of the jobs' routes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.jobs.models import Status


class Table(serializers.Serializer[Any]):
    """The body of POST /process."""

    rows = serializers.ListField(child=serializers.DictField(), allow_empty=True)


class TaskAccepted(serializers.Serializer[Any]):
    """The answer of a route that starts a job."""

    task_id = serializers.UUIDField()


class Progress(serializers.Serializer[Any]):
    """How far a job is; `total` is null until it is known."""

    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)


class Task(serializers.Serializer[Any]):
    """A background job."""

    task_id = serializers.UUIDField()
    kind = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    progress = Progress()
    result = serializers.JSONField(allow_null=True)
    error = serializers.CharField(allow_null=True)
