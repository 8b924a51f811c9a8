"""Commands: what can be done with jobs."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import IO, Any, ClassVar

from apps.core.bus import Command


@dataclass(frozen=True)
class SubmitJob(Command[uuid.UUID]):
    """Ask for a job; answers its id. `total` is the number of steps if it is known.

    `upload` is the job's file, whole and on this machine: it is read from its beginning while a transaction is open.
    Nobody but the owner sees a `private` one, which is kept for a day. Refused with TooManyJobs.
    """

    kind: str
    owner_id: int | None
    input: dict[str, Any]
    total: int | None = None
    upload: IO[bytes] | None = None
    private: bool = False


@dataclass(frozen=True)
class CancelJob(Command[None]):
    """Stop a job at once. Refused with NotFound, or Conflict (`already_finished`)."""

    job_id: uuid.UUID


@dataclass(frozen=True)
class RetryJob(Command[None]):
    """Run a failed or cancelled job again, from its last checkpoint.

    Refused with NotFound, or Conflict: it has not failed, or what it was given is deleted.
    """

    job_id: uuid.UUID


@dataclass(frozen=True)
class PruneJobs(Command[int]):
    """Delete jobs that ended longer ago than the retention, and earlier only what they were given; answers how many."""

    atomic: ClassVar[bool] = False


@dataclass(frozen=True)
class RunNextJob(Command[bool]):
    """Claim one due job and run it; False if none is due. Its steps have transactions of their own."""

    atomic: ClassVar[bool] = False
