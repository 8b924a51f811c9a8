"""An event that means nothing, and the receiver that does nothing about it. Needs Django to be set up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from apps.events.bus import Event, event, on


@event
@dataclass(frozen=True)
class NothingHappened(Event):
    """As large as a user's event."""

    type: ClassVar[str] = "bench.nothing"
    user_id: int
    email: str
    name: str

    @property
    def aggregate(self) -> str:
        return f"bench:{self.user_id}"


@on(NothingHappened)
def do_nothing(event: NothingHappened) -> None:
    """Nothing."""
