"""Jobs and what comes with them in PostgreSQL.

`Jobs` serves the use cases of people. `JobQueue` serves the worker: it claims jobs in fair turns and keeps what comes
of each attempt, as long as the attempt holds its lease.
"""

from __future__ import annotations

import io
import uuid
from datetime import timedelta
from typing import IO, Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest, Now

from apps.core.context import request_id, traceparent
from apps.core.errors import NotFound
from apps.core.queue.work_queue import LeaseLost, claim, in_seconds, settle
from apps.jobs.models import Chunk, Job, RefusedLines, Status

LEASE_SECONDS = 30
PIECE_BYTES = 512 * 1024
# of an owner's queue; it ends with the transaction that asks for the job
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('jobs of ' || %s::text, 0))"
# rows that are locked are being claimed or cancelled at this moment; to wait for them could be a deadlock
SERVED = """
    UPDATE jobs_job SET turn = statement_timestamp() WHERE id IN (
        SELECT id FROM jobs_job WHERE owner_id = %s AND due_at IS NOT NULL FOR UPDATE SKIP LOCKED)"""


class Jobs:
    """Jobs as people ask for them, stop them, and run them again."""

    def unfinished_of(self, owner_id: int) -> int:
        """How many jobs of this owner have not ended; until the transaction ends, their other requests wait."""
        with connection.cursor() as cursor:
            cursor.execute(LOCK, [owner_id])
        return Job.objects.filter(owner_id=owner_id, due_at__isnull=False).count()

    def add(
        self, kind: str, owner_id: int | None, given: dict[str, Any], total: int | None, *, private: bool = False
    ) -> uuid.UUID:
        """Insert a job that is due at once; returns its id."""
        cause = {"request_id": request_id(), "traceparent": traceparent()}
        job = Job.objects.create(kind=kind, owner_id=owner_id, input=given, total=total, private=private, **cause)
        return job.id

    def keep_file(self, job_id: uuid.UUID, file: IO[bytes]) -> None:
        """Keep `file`, which must be complete and on this machine: a transaction must not wait for a client."""
        file.seek(0)
        number = 0
        while piece := file.read(PIECE_BYTES):
            Chunk.objects.create(job_id=job_id, number=number, data=piece)
            number += 1

    def lock(self, job_id: uuid.UUID) -> Job:
        """The job, locked until the transaction ends. Raises NotFound."""
        job = Job.objects.select_for_update(no_key=True).filter(id=job_id).first()
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        return job

    def end(self, job: Job, status: Status, error: str) -> None:
        """Write that the job has ended, and take it from whoever runs it."""
        Job.objects.filter(id=job.id).update(status=status, due_at=None, token=None, finished_at=Now(), error=error)

    def start_over(self, job: Job) -> None:
        """Make the job due at once, with fresh attempts."""
        Job.objects.filter(id=job.id).update(
            status=Status.PENDING, due_at=Now(), turn=Now(), attempts=0, token=None, error="", finished_at=None
        )

    def delete_old(self, age: timedelta, private_age: timedelta, limit: int) -> int:
        """Delete up to `limit` jobs that ended longer than `age` ago, private ones `private_age`; returns how many."""
        past = Q(finished_at__lt=Now() - age) | Q(finished_at__lt=Now() - private_age, private=True)
        old = Job.objects.filter(past).values("id")[:limit]
        # the contents of the rows are not read: deleting needs only the ids
        _, deleted = Job.objects.filter(id__in=old).only("id").delete()
        return deleted.get(Job._meta.label, 0)

    def delete_old_inputs(self, age: timedelta, limit: int) -> int:
        """Delete what up to `limit` jobs that ended longer than `age` ago were given; returns how many jobs."""
        with transaction.atomic():
            old = Job.objects.filter(finished_at__lt=Now() - age, input__isnull=False)
            return _delete_inputs(old.select_for_update(skip_locked=True)[:limit])


class JobQueue:
    """Due jobs, as a worker takes and settles them. The methods that report or settle raise LeaseLost."""

    def claim(self) -> uuid.UUID | None:
        """Claim a due job of the owner who was served longest ago; None if none is due."""
        ids = claim("jobs_job", order="q.turn", limit=1, lease=LEASE_SECONDS)
        return ids[0] if ids else None

    def start(self, job_id: uuid.UUID) -> Job | None:
        """Mark the claimed job as started and return it; None if it was cancelled meanwhile."""
        held = Job.objects.filter(id=job_id, token__isnull=False)
        held.update(status=Status.STARTED, started_at=Coalesce("started_at", Now()))
        return held.first()

    def served(self, owner_id: int | None) -> None:
        """Let every other owner who waits now go before this one's further jobs."""
        if owner_id is not None:
            with connection.cursor() as cursor:
                cursor.execute(SERVED, [owner_id])

    def report(self, job: Job, done: int, total: int | None, checkpoint: Any) -> None:
        """Keep how far the attempt is, and prolong its lease."""
        changes = {"done": done, "total": total, "checkpoint": checkpoint}
        if checkpoint is not None:
            # the next attempt starts from here: only those without any progress count against the job
            changes["attempts"] = 1
        held = Job.objects.filter(id=job.id, token=job.token)
        if held.update(due_at=in_seconds(LEASE_SECONDS), **changes) != 1:
            raise LeaseLost("the job was cancelled or taken over")

    def try_again(self, job: Job, wait: float, reason: str) -> None:
        """Make the job due again in `wait` seconds."""
        settle(_row(job), job.token, status=Status.RETRY, due_at=in_seconds(wait), error=reason, last_error=reason)

    def hand_over(self, job: Job) -> None:
        """Make the job due at once; this attempt does not count."""
        attempts = Greatest(F("attempts") - 1, 0)
        settle(_row(job), job.token, status=Status.RETRY, due_at=Now(), attempts=attempts)

    def go_on(self, job: Job) -> None:
        """Make the job due at once, if this attempt brought it further."""
        further = _row(job).filter(done__gt=job.done, checkpoint__isnull=False)
        settle(further, job.token, status=Status.RETRY, due_at=Now())

    def succeed(self, job: Job, result: dict[str, Any]) -> None:
        """Keep the result, and delete what the job was given."""
        settle(_row(job), job.token, status=Status.SUCCESS, due_at=None, finished_at=Now(), error="", result=result)
        _delete_inputs(_row(job))

    def fail(self, job: Job, reason: str) -> None:
        """Keep why the job cannot be done."""
        settle(_row(job), job.token, status=Status.FAILURE, due_at=None, finished_at=Now(), error=reason)

    def upload(self, job: Job) -> io.BufferedReader:
        """The file that came with the job; read piece by piece."""
        return io.BufferedReader(_Upload(job.id))

    def keep_refused(self, job: Job, lines: bytes) -> None:
        """Keep a piece of the CSV of refused lines, in the transaction of the work that it belongs to."""
        RefusedLines.objects.create(job_id=job.id, data=lines)


class _Upload(io.RawIOBase):
    """The chunks of a job's file as one stream."""

    def __init__(self, job_id: uuid.UUID) -> None:
        self._chunks = Chunk.objects.filter(job_id=job_id).values_list("data", flat=True)
        self._number = 0
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            chunk = self._chunks.filter(number=self._number).first()
            if chunk is None:
                return 0
            self._rest = bytes(chunk)
            self._number += 1
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _row(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(id=job.id)


def _delete_inputs(jobs: QuerySet[Job]) -> int:
    ids = list(jobs.values_list("id", flat=True))
    Chunk.objects.filter(job_id__in=ids).delete()
    return Job.objects.filter(id__in=ids).update(input=None, checkpoint=None)
