"""One attempt at a job, as the code that does the work sees it."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.queue.work_queue import LeaseLost, in_seconds
from apps.jobs import refusals
from apps.jobs.models import Chunk, Job

LEASE_SECONDS = 30


class JobError(Exception):
    """The job cannot succeed, now or later; the message tells its owner why."""


class Stopping(Exception):
    """This worker was told to end; another one is to go on with the job."""


# set in a worker's child once its parent was told to end
stopping = threading.Event()


@dataclass
class Run:
    """An attempt: what was asked for, how far the last attempt came, and a way to report."""

    job: Job

    @property
    def input(self) -> dict[str, Any]:
        """What was asked for."""
        # kept until the job has ended
        return self.job.input or {}

    @property
    def checkpoint(self) -> Any:
        """What `report` kept last; None at first."""
        return self.job.checkpoint

    @property
    def began_at(self) -> datetime | None:
        """When the first attempt began, by the database's clock."""
        return self.job.started_at

    def refuse(self, refused: Iterable[refusals.Refusal]) -> None:
        """Keep what the job does not take of its file; call it in the transaction of the work it belongs to."""
        refusals.keep(self.job.id, refused)

    def report(self, done: int, total: int | None = None, checkpoint: Any = None) -> None:
        """Say how far the job is, keep `checkpoint`, and prolong the lease.

        Raises LeaseLost where the job was cancelled or taken over, Stopping where the worker is to end; call it in the
        transaction of the work it reports.
        """
        if stopping.is_set():
            raise Stopping
        changes = {"done": done, "total": total if total is not None else self.job.total, "checkpoint": checkpoint}
        if checkpoint is not None:
            # the next attempt starts from here: only those without any progress count against the job
            changes["attempts"] = 1
        held = Job.objects.filter(id=self.job.id, token=self.job.token)
        if held.update(due_at=in_seconds(LEASE_SECONDS), **changes) != 1:
            raise LeaseLost("the job was cancelled or taken over")

    def upload(self) -> io.BufferedReader:
        """The file that came with the job; read piece by piece."""
        return io.BufferedReader(Upload(self.job))


class Upload(io.RawIOBase):
    """The chunks of a job's file as one stream."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._number = 0
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            chunk = (
                Chunk.objects.filter(job_id=self._job.id, number=self._number).values_list("data", flat=True).first()
            )
            if chunk is None:
                return 0
            self._rest = bytes(chunk)
            self._number += 1
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


Handler = Callable[[Run], dict[str, Any]]
