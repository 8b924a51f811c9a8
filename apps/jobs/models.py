"""Background jobs: each is a row, committed with the request that asked for it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.core.context import TRACEPARENT_LENGTH
from apps.core.queue.work_queue import WorkItem


class Status(models.TextChoices):
    """Where a job stands, in Celery's names for tasks; `RETRY` waits for its next attempt."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    RETRY = "RETRY"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REVOKED = "REVOKED"


FINISHED = (Status.SUCCESS, Status.FAILURE, Status.REVOKED)


class Job(WorkItem):
    """A piece of work for a worker; `checkpoint` is what its handler needs to go on after a crash."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=50)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="jobs")
    # a deleted user, whose job this was: a worker deletes it next
    left_by = models.BigIntegerField(null=True, editable=False)
    # nobody but the owner sees what came of it, staff neither
    private = models.BooleanField(default=False, db_default=False, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(null=True)
    # null once it is deleted; what came as a file is in `chunks`, and goes with it
    input = models.JSONField(default=dict, null=True)
    checkpoint = models.JSONField(null=True)
    result = models.JSONField(null=True)
    error = models.TextField(blank=True, default="")
    request_id = models.CharField(max_length=128, blank=True, default="")
    traceparent = models.CharField(max_length=TRACEPARENT_LENGTH, blank=True, default="", db_default="")
    # when its owner was last served, or when it was asked for: the earliest is next
    turn = models.DateTimeField(db_default=Now(), editable=False)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], name="jobs_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["turn", "id"], name="jobs_turn", condition=Q(due_at__isnull=False)),
            models.Index(fields=["owner"], name="jobs_unfinished_of", condition=Q(due_at__isnull=False)),
            models.Index(fields=["left_by"], name="jobs_left", condition=Q(left_by__isnull=False)),
            models.Index(fields=["-created_at"], name="jobs_created_at"),
            models.Index(fields=["finished_at"], name="jobs_finished_at"),
            models.Index(
                fields=["finished_at"],
                name="jobs_input_kept",
                condition=Q(finished_at__isnull=False, input__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Chunk(models.Model):
    """A piece of the file that came with a job; in the database, so that every worker can read it."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "number"], name="jobs_chunk_once")]

    def __str__(self) -> str:
        return f"{self.job_id} #{self.number}"


class RefusedLines(models.Model):
    """A piece of the CSV that names the lines which a job refused; written by apps/core/refused_lines.py."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="refused_lines", db_index=False)
    data = models.BinaryField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["job", "id"], name="jobs_refused_lines")]

    def __str__(self) -> str:
        return f"{self.job_id} #{self.pk}"
