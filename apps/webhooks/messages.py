"""A webhook on its way: what is sent, and how an attempt ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypedDict
from uuid import UUID


class Body(TypedDict):
    """What is sent to an endpoint, by the Standard Webhooks specification."""

    type: Annotated[str, {"description": "What happened.", "examples": ["user.created"]}]
    timestamp: Annotated[
        str,
        {"description": "When it happened.", "format": "date-time", "examples": ["2026-11-24T09:00:00.000000+00:00"]},
    ]
    data: dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A claimed delivery, ready to be sent; `secrets` sign it, the newest first. None: the newest cannot be read."""

    id: int
    token: UUID
    endpoint_id: int
    failing: bool
    attempts: int
    message_id: str
    event_type: str
    body: str
    request_id: str
    traceparent: str
    url: str
    secrets: tuple[str, ...] | None


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended; `retry_after` in seconds, if the endpoint asked for it.

    `sent` is False if the outcome says nothing about the endpoint or the way to it. `postponed`: nothing was tried,
    since this service had no room for it; it does not count as an attempt.
    """

    message: Message
    at: datetime
    latency_ms: int
    status_code: int | None = None
    error: str = ""
    answer: str = ""
    retry_after: float | None = None
    sent: bool = True
    postponed: bool = False
    # where in a trace the attempt was
    place: str = ""

    @property
    def ok(self) -> bool:
        """Whether the answer was 2xx, and in time."""
        return not self.error and not self.postponed

    def entry(self) -> dict[str, Any]:
        """The attempt's entry in the delivery's log."""
        return {
            "at": self.at.isoformat(),
            "status_code": self.status_code,
            "latency_ms": self.latency_ms,
            "error": self.error or None,
            "answer": self.answer,
        }
