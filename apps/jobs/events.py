"""Events of jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from apps.events.bus import Event, event


@event
@dataclass(frozen=True)
class JobFinished(Event):
    """A job ended, well or not."""

    type: ClassVar[str] = "job.finished"
    task_id: str
    kind: str
    status: str

    @property
    def aggregate(self) -> str:
        return f"job:{self.task_id}"
