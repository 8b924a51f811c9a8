"""Commands: what can be done with jobs."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from apps.core.bus import Command


@dataclass(frozen=True)
class SubmitJob(Command[uuid.UUID]):
    """Ask for a job; answers its id. `total` is the number of steps where it is known, `upload` the job's file."""

    kind: str
    owner_id: int | None
    input: dict[str, Any]
    total: int | None = None
    upload: Iterable[bytes] = ()


@dataclass(frozen=True)
class CancelJob(Command[None]):
    """Stop a job at once. Refused with NotFound, or Conflict (`already_finished`)."""

    job_id: uuid.UUID


@dataclass(frozen=True)
class RetryJob(Command[None]):
    """Run a failed or cancelled job again, from its last checkpoint. Refused with NotFound, or Conflict."""

    job_id: uuid.UUID


@dataclass(frozen=True)
class PruneJobs(Command[int]):
    """Delete jobs that finished longer ago than the retention; answers how many."""

    atomic: ClassVar[bool] = False


@dataclass(frozen=True)
class RunNextJob(Command[bool]):
    """Claim one due job and run it; False where none is due. Its steps have transactions of their own."""

    atomic: ClassVar[bool] = False
