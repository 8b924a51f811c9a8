"""One attempt at a job, as the code that does the work sees it."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.refused_lines import Refusal, as_csv
from apps.jobs.models import Job
from apps.jobs.repositories import JobQueue


class JobError(Exception):
    """The job cannot succeed, now or later; the message tells its owner why."""


class Stopping(Exception):
    """This worker was told to end; another one goes on with the job."""


# set in a worker's child once its parent was told to end
stopping = threading.Event()


@dataclass
class Run:
    """An attempt: what was asked for, how far the last attempt came, and a way to report."""

    job: Job
    queue: JobQueue

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

    def refuse(self, refused: Iterable[Refusal]) -> None:
        """Keep what the job does not take of its file; call it in the transaction of the work it belongs to."""
        if lines := as_csv(refused):
            self.queue.keep_refused(self.job, lines)

    def report(self, done: int, total: int | None = None, checkpoint: Any = None) -> None:
        """Say how far the job is, keep `checkpoint`, and prolong the lease.

        Raises LeaseLost if the job was cancelled or taken over, Stopping if the worker was told to end; call it in the
        transaction of the work it reports.
        """
        if stopping.is_set():
            raise Stopping
        self.queue.report(self.job, done, total if total is not None else self.job.total, checkpoint)

    def upload(self) -> io.BufferedReader:
        """The file that came with the job; read piece by piece."""
        return self.queue.upload(self.job)


Handler = Callable[[Run], dict[str, Any]]
