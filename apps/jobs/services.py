"""The use cases of jobs: submit, cancel, retry, and what a worker does with one.

A running job holds a lease that each progress report prolongs. To cancel is to take the lease away: the worker's next
report fails, and everything it did since the last one is rolled back with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest, Now
from prometheus_client import Counter

from apps.core.context import bound, request_id
from apps.core.errors import Conflict, NotFound, TooMany
from apps.core.queue.work_queue import Backoff, LeaseLost, in_seconds, settle
from apps.events.bus import publish
from apps.jobs import store
from apps.jobs.commands import CancelJob, PruneJobs, RetryJob, RunNextJob, SubmitJob
from apps.jobs.events import JobFinished
from apps.jobs.models import FINISHED, Job, Status
from apps.jobs.run import Handler, JobError, Run, Stopping

log = structlog.get_logger("jobs")
JOBS = Counter("jobs_finished_total", "Background jobs that have ended", ["kind", "status"])
BACKOFF = Backoff(base=2.0, longest=300.0, max_attempts=4)
# of one owner, waiting and running
MOST_UNFINISHED = 10
RETRY_AFTER_SECONDS = 10
# a failed or cancelled job can be run again for so long: until then its file and the rest of its input are kept
INPUT_KEPT = timedelta(days=7)


class AlreadyFinished(Conflict):
    """The job has ended and can no longer be cancelled."""

    code = "already_finished"


class TooManyJobs(TooMany):
    """The owner has as many jobs that have not ended as anyone may have."""

    code = "too_many_jobs"

    def __init__(self) -> None:
        super().__init__(
            f"You have {MOST_UNFINISHED} jobs that have not ended, the most there may be: wait for one, or cancel one.",
            RETRY_AFTER_SECONDS,
        )


class JobService:
    """Handlers of the commands of jobs; `handlers` does the work of each kind."""

    def __init__(self, handlers: Mapping[str, Handler], retention: timedelta, prune_batch: int = 50) -> None:
        self._handlers = handlers
        self._retention = retention
        # few at a time: each may have fifty megabytes of file
        self._prune_batch = prune_batch

    def submit(self, command: SubmitJob) -> uuid.UUID:
        """Insert the row and its file; the relay sees it once it is committed."""
        if command.owner_id is not None and store.unfinished_of(command.owner_id) >= MOST_UNFINISHED:
            raise TooManyJobs
        job = Job.objects.create(
            kind=command.kind,
            owner_id=command.owner_id,
            input=command.input,
            total=command.total,
            request_id=request_id(),
        )
        if command.upload is not None:
            store.keep_file(job.id, command.upload)
        return job.id

    def cancel(self, command: CancelJob) -> None:
        """Take the job from whoever runs it."""
        job = self._lock(command.job_id)
        if job.status in FINISHED:
            raise AlreadyFinished(f"The job has already ended: {job.status}.")
        self._finish(job, Status.REVOKED, error="cancelled")

    def retry(self, command: RetryJob) -> None:
        """Make the job due again."""
        job = self._lock(command.job_id)
        if job.status not in (Status.FAILURE, Status.REVOKED):
            raise Conflict(f"Only a failed or cancelled job can run again; this one is {job.status}.")
        if job.input is None:
            days = INPUT_KEPT.days
            raise Conflict(f"What the job was given is deleted {days} days after its end; ask for it anew.")
        Job.objects.filter(id=job.id).update(
            status=Status.PENDING, due_at=Now(), turn=Now(), attempts=0, token=None, error="", finished_at=None
        )

    def prune(self, command: PruneJobs) -> int:
        """Delete in batches, each its own short transaction."""
        while store.drop_old_inputs(INPUT_KEPT, self._prune_batch) == self._prune_batch:
            pass
        total = 0
        while True:
            old = Job.objects.filter(finished_at__lt=Now() - self._retention).values("id")[: self._prune_batch]
            # the rows' contents stay where they are: deleting needs the ids alone
            _, deleted = Job.objects.filter(id__in=old).only("id").delete()
            jobs = deleted.get(Job._meta.label, 0)
            total += jobs
            if jobs < self._prune_batch:
                return total

    def run_next(self, command: RunNextJob) -> bool:
        """Claim one due job and run it to its end or its next attempt; False where none is due."""
        job_id = store.claim_next()
        if job_id is None:
            return False
        held = Job.objects.filter(id=job_id, token__isnull=False)
        held.update(status=Status.STARTED, started_at=Coalesce("started_at", Now()))
        job = held.first()
        if job is None:
            # cancelled between the claim and here
            return True
        store.served(job.owner_id)
        with bound(job.request_id, task_id=str(job.id), kind=job.kind, attempt=job.attempts):
            self._run(job)
        # whoever came while it ran goes before this owner's next
        store.served(job.owner_id)
        return True

    def _run(self, job: Job) -> None:
        try:
            if job.attempts > BACKOFF.max_attempts:
                raise JobError("The job took its worker down on every attempt.")
            result = self._handler(job)(Run(job))
            self._finish_held(job, Status.SUCCESS, result=result)
        except LeaseLost as error:
            log.info("job_let_go", reason=str(error))
        except JobError as error:
            self._fail(job, str(error))
        except SoftTimeLimitExceeded:
            self._go_on_or_fail(job)
        except Stopping:
            self._hand_over(job)
        except Exception as error:  # a handler may raise anything; the job's row tells its owner
            self._retry_or_fail(job, error)

    def _handler(self, job: Job) -> Handler:
        try:
            return self._handlers[job.kind]
        except KeyError:
            raise JobError(f"This version of the service has no handler for {job.kind!r} jobs.") from None

    def _retry_or_fail(self, job: Job, error: Exception) -> None:
        wait = BACKOFF.wait(job.attempts)
        if wait is None:
            log.error("job_failed", exc_info=error)
            self._fail(job, f"The job failed {job.attempts} times; the last time: {error}")
            return
        log.warning("job_attempt_failed", exc_info=error, next_in_seconds=round(wait, 1))
        message = told(f"{type(error).__name__}: {error}")
        try:
            held = Job.objects.filter(id=job.id)
            settle(held, job.token, status=Status.RETRY, due_at=in_seconds(wait), error=message, last_error=message)
        except LeaseLost as lost:
            log.info("job_let_go", reason=str(lost))

    def _hand_over(self, job: Job) -> None:
        """Let another worker go on at once; that this one had to end does not count against the job."""
        try:
            attempts = Greatest(F("attempts") - 1, 0)
            settle(Job.objects.filter(id=job.id), job.token, status=Status.RETRY, due_at=Now(), attempts=attempts)
            log.info("job_goes_on", reason="the worker ends")
        except LeaseLost as error:
            log.info("job_let_go", reason=str(error))

    def _go_on_or_fail(self, job: Job) -> None:
        """After the time limit: a job that came further goes on at once; for another this attempt has failed."""
        further = Job.objects.filter(id=job.id, done__gt=job.done, checkpoint__isnull=False)
        try:
            settle(further, job.token, status=Status.RETRY, due_at=Now())
            log.info("job_goes_on", reason="time limit")
        except LeaseLost:
            self._retry_or_fail(job, TimeoutError("it took longer than the time limit"))

    def _fail(self, job: Job, reason: str) -> None:
        try:
            self._finish_held(job, Status.FAILURE, error=told(reason))
        except LeaseLost as error:
            log.info("job_let_go", reason=str(error))

    def _finish_held(self, job: Job, status: Status, **changes: Any) -> None:
        changes.setdefault("error", "")
        with transaction.atomic():
            settle(Job.objects.filter(id=job.id), job.token, status=status, due_at=None, finished_at=Now(), **changes)
            publish(JobFinished(str(job.id), job.kind, status))
            if status == Status.SUCCESS:
                store.drop_inputs(Job.objects.filter(id=job.id))
        JOBS.labels(job.kind, status).inc()
        log.info("job_finished", status=status)

    def _finish(self, job: Job, status: Status, error: str) -> None:
        Job.objects.filter(id=job.id).update(status=status, due_at=None, token=None, finished_at=Now(), error=error)
        publish(JobFinished(str(job.id), job.kind, status))
        transaction.on_commit(JOBS.labels(job.kind, status).inc)

    def _lock(self, job_id: uuid.UUID) -> Job:
        job = Job.objects.select_for_update(no_key=True).filter(id=job_id).first()
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        return job


def told(reason: str) -> str:
    """`reason` as PostgreSQL can keep it: a handler's error may quote anything, a NUL or half a character too."""
    return reason[:2000].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
