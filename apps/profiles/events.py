"""Events of profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from apps.events.bus import Event, event
from apps.users.events import UserId


@event
@dataclass(frozen=True)
class ProfileEnriched(Event):
    """The people directory's answer was kept."""

    type: ClassVar[str] = "profile.enriched"
    personal: ClassVar[tuple[str, ...]] = ("display_name", "company", "avatar_url")
    user_id: UserId
    display_name: Annotated[
        str, {"description": "The name in the directory; may be empty.", "examples": ["Ada Lovelace"]}
    ]
    company: Annotated[str, {"description": "The company; may be empty.", "examples": ["Analytical Engines"]}]
    avatar_url: Annotated[
        str, {"description": "Where a picture is; may be empty.", "examples": ["https://people.example.com/7.png"]}
    ]

    @property
    def aggregate(self) -> str:
        return f"user:{self.user_id}"
