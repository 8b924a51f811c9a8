"""Events of profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from apps.events.bus import Event, event


@event
@dataclass(frozen=True)
class ProfileEnriched(Event):
    """The people directory's answer was kept."""

    type: ClassVar[str] = "profile.enriched"
    user_id: int
    display_name: str
    company: str
    avatar_url: str

    @property
    def aggregate(self) -> str:
        return f"user:{self.user_id}"
