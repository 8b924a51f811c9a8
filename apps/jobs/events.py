"""Events of jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from apps.events.bus import Event, event


@event
@dataclass(frozen=True)
class JobFinished(Event):
    """A job ended, well or not."""

    type: ClassVar[str] = "job.finished"
    task_id: Annotated[
        str,
        {
            "description": "The job's id, as in GET /tasks/{task_id}.",
            "format": "uuid",
            "examples": ["0d6c0f5e-9a52-4b3f-a1d5-3c1f0a9d2e11"],
        },
    ]
    kind: Annotated[str, {"description": "What was to be done; new kinds may come.", "examples": ["import_users"]}]
    status: Annotated[
        str,
        {"description": "How it ended.", "enum": ["SUCCESS", "FAILURE", "REVOKED"], "examples": ["SUCCESS"]},
    ]

    @property
    def aggregate(self) -> str:
        return f"job:{self.task_id}"
