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
from prometheus_client import Counter

from apps.core.bus import after_commit, unit_of_work
from apps.core.context import Attributes, bound, span
from apps.core.errors import Conflict, TooMany
from apps.core.queue.work_queue import Backoff, LeaseLost, prune_in_batches
from apps.events.bus import publish
from apps.jobs.commands import CancelJob, PruneJobs, RetryJob, RunNextJob, SubmitJob
from apps.jobs.events import JobFinished
from apps.jobs.models import FINISHED, Job, Status
from apps.jobs.repositories import JobQueue, Jobs
from apps.jobs.run import Handler, JobError, Run, Stopping

log = structlog.get_logger("jobs")
JOBS = Counter("jobs_finished_total", "Background jobs that have ended", ["kind", "status"])
BACKOFF = Backoff(base=2.0, longest=300.0, max_attempts=4)
# of one owner, waiting and running
MOST_UNFINISHED = 10
RETRY_AFTER_SECONDS = 10
# a failed or cancelled job can be run again for so long: until then its file and the rest of its input are kept
INPUT_KEPT = timedelta(days=7)
# what only the owner may see, such as all that is kept about them
PRIVATE_KEPT = timedelta(days=1)


class AlreadyFinished(Conflict):
    """The job has ended and can no longer be cancelled."""

    code = "already_finished"


class TooManyJobs(TooMany):
    """The owner has as many unfinished jobs as one owner may have."""

    code = "too_many_jobs"

    def __init__(self) -> None:
        super().__init__(
            f"You have {MOST_UNFINISHED} jobs that have not ended, the most there may be: wait for one, or cancel one.",
            RETRY_AFTER_SECONDS,
        )


class JobService:
    """Handlers of the commands of jobs; `handlers` does the work of each kind."""

    def __init__(
        self, jobs: Jobs, queue: JobQueue, handlers: Mapping[str, Handler], retention: timedelta, prune_batch: int = 50
    ) -> None:
        self._jobs = jobs
        self._queue = queue
        self._handlers = handlers
        self._retention = retention
        # few at a time: each may have fifty megabytes of file
        self._prune_batch = prune_batch

    def submit(self, command: SubmitJob) -> uuid.UUID:
        """Insert the row and its file; the relay sees it once it is committed."""
        if command.owner_id is not None and self._jobs.unfinished_of(command.owner_id) >= MOST_UNFINISHED:
            raise TooManyJobs
        job_id = self._jobs.add(command.kind, command.owner_id, command.input, command.total, private=command.private)
        if command.upload is not None:
            self._jobs.keep_file(job_id, command.upload)
        return job_id

    def cancel(self, command: CancelJob) -> None:
        """Take the job from whoever runs it."""
        job = self._jobs.lock(command.job_id)
        if job.status in FINISHED:
            raise AlreadyFinished(f"The job has already ended: {job.status}.")
        self._jobs.end(job, Status.REVOKED, error="cancelled")
        publish(JobFinished(str(job.id), job.kind, Status.REVOKED))
        after_commit(JOBS.labels(job.kind, Status.REVOKED).inc)

    def retry(self, command: RetryJob) -> None:
        """Make the job due again."""
        job = self._jobs.lock(command.job_id)
        if job.status not in (Status.FAILURE, Status.REVOKED):
            raise Conflict(f"Only a failed or cancelled job can run again; this one is {job.status}.")
        if job.input is None:
            days = INPUT_KEPT.days
            raise Conflict(f"What the job was given is deleted {days} days after its end; ask for it anew.")
        self._jobs.start_over(job)

    def prune(self, command: PruneJobs) -> int:
        """Delete in batches, each its own short transaction."""
        prune_in_batches(lambda limit: self._jobs.delete_old_inputs(INPUT_KEPT, limit), self._prune_batch)
        return prune_in_batches(
            lambda limit: self._jobs.delete_old(self._retention, PRIVATE_KEPT, limit), self._prune_batch
        )

    def run_next(self, command: RunNextJob) -> bool:
        """Claim one due job and run it to its end or its next attempt; False if none is due."""
        job_id = self._queue.claim()
        if job_id is None:
            return False
        job = self._queue.start(job_id)
        if job is None:
            # cancelled between the claim and here
            return True
        self._queue.served(job.owner_id)
        facts: Attributes = {"app.task_id": str(job.id), "app.attempt": job.attempts}
        with (
            span(f"job {job.kind}", "consumer", facts, parents=(job.traceparent,)),
            bound(job.request_id, task_id=str(job.id), kind=job.kind, attempt=job.attempts),
        ):
            try:
                self._run(job)
            except LeaseLost as error:
                log.info("job_let_go", reason=str(error))
        # whoever came while it ran goes before this owner's next
        self._queue.served(job.owner_id)
        return True

    def _run(self, job: Job) -> None:
        try:
            if job.attempts > BACKOFF.max_attempts:
                raise JobError("The job took its worker down on every attempt.")
            result = self._handler(job)(Run(job, self._queue))
            self._succeed(job, result)
        except LeaseLost:
            raise
        except JobError as error:
            self._fail(job, str(error))
        except SoftTimeLimitExceeded:
            self._go_on_or_fail(job)
        except Stopping:
            # another worker goes on; the attempt does not count, since it was the worker that had to end
            self._queue.hand_over(job)
            log.info("job_goes_on", reason="the worker ends")
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
        self._queue.try_again(job, wait, told(f"{type(error).__name__}: {error}"))

    def _go_on_or_fail(self, job: Job) -> None:
        """After the time limit: a job that came further goes on at once; for any other this attempt has failed."""
        try:
            self._queue.go_on(job)
            log.info("job_goes_on", reason="time limit")
        except LeaseLost:
            self._retry_or_fail(job, TimeoutError("it took longer than the time limit"))

    def _succeed(self, job: Job, result: dict[str, Any]) -> None:
        with unit_of_work():
            self._queue.succeed(job, result)
            publish(JobFinished(str(job.id), job.kind, Status.SUCCESS))
        _count(job, Status.SUCCESS)

    def _fail(self, job: Job, reason: str) -> None:
        with unit_of_work():
            self._queue.fail(job, told(reason))
            publish(JobFinished(str(job.id), job.kind, Status.FAILURE))
        _count(job, Status.FAILURE)


def _count(job: Job, status: Status) -> None:
    JOBS.labels(job.kind, status).inc()
    log.info("job_finished", status=status)


def told(reason: str) -> str:
    """`reason` as PostgreSQL can keep it: a handler's error may quote anything, even a NUL or half a character."""
    return reason[:2000].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
