"""The statements of jobs that are more than a row: whose turn is next, how many an owner may have, and their files."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import IO, Any

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.core.queue.work_queue import claim
from apps.jobs.models import Chunk, Job
from apps.jobs.run import LEASE_SECONDS

PIECE_BYTES = 512 * 1024
# the lock of an owner's queue ends with the transaction that asks for the job
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('jobs of ' || %s::text, 0))"
# rows that somebody else has locked are claimed or cancelled at this moment; to wait for them could be a deadlock
SERVED = """
    UPDATE jobs_job SET turn = statement_timestamp() WHERE id IN (
        SELECT id FROM jobs_job WHERE owner_id = %s AND due_at IS NOT NULL FOR UPDATE SKIP LOCKED)"""


def unfinished_of(owner_id: int) -> int:
    """How many jobs of this owner have not ended; until the transaction ends nobody else asks for another."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [owner_id])
    return Job.objects.filter(owner_id=owner_id, due_at__isnull=False).count()


def keep_file(job_id: uuid.UUID, file: IO[bytes]) -> None:
    """Keep the whole of `file`, which must be finished and on this machine: nobody waits for a client in here."""
    file.seek(0)
    number = 0
    while piece := file.read(PIECE_BYTES):
        Chunk.objects.create(job_id=job_id, number=number, data=piece)
        number += 1


def claim_next() -> uuid.UUID | None:
    """Claim a due job of the owner who was served longest ago; None if none is due."""
    ids = claim("jobs_job", order="q.turn", limit=1, lease=LEASE_SECONDS)
    return ids[0] if ids else None


def served(owner_id: int | None) -> None:
    """Let every other owner who waits now go before this one's further jobs."""
    if owner_id is not None:
        with connection.cursor() as cursor:
            cursor.execute(SERVED, [owner_id])


def drop_inputs(jobs: Any) -> int:
    """Delete what came with `jobs`, rows of this transaction's; returns how many they are."""
    ids = list(jobs.values_list("id", flat=True))
    Chunk.objects.filter(job_id__in=ids).delete()
    return Job.objects.filter(id__in=ids).update(input=None, checkpoint=None)


def drop_old_inputs(age: timedelta, most: int) -> int:
    """Delete the inputs of up to `most` jobs that ended longer than `age` ago; returns how many they are."""
    with transaction.atomic():
        old = Job.objects.filter(finished_at__lt=Now() - age, input__isnull=False)
        return drop_inputs(old.select_for_update(skip_locked=True)[:most])
