"""Events of webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from apps.events.bus import Event, event


@event
@dataclass(frozen=True)
class WebhookDisabled(Event):
    """An endpoint was taken out of service, since it has failed for days or said that it is gone."""

    type: ClassVar[str] = "webhook.disabled"
    webhook_id: int
    url: str
    reason: str

    @property
    def aggregate(self) -> str:
        return f"webhook:{self.webhook_id}"
