"""Events of webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from apps.events.bus import Event, event
from apps.webhooks.names import host_of

WebhookId = Annotated[int, {"description": "The endpoint's id.", "format": "int64", "examples": [3]}]


@event
@dataclass(frozen=True)
class WebhookDisabled(Event):
    """An endpoint was taken out of service, since it has failed for days or said that it is gone.

    Every receiver hears of it, so it names only the host: for many services the rest of the URL is the secret.
    """

    type: ClassVar[str] = "webhook.disabled"
    webhook_id: WebhookId
    host: Annotated[str, {"description": "The host of the endpoint's URL.", "examples": ["hooks.example.com"]}]
    reason: Annotated[str, {"description": "Why, in words for people.", "examples": ["the endpoint answered 410 Gone"]}]

    @property
    def aggregate(self) -> str:
        return f"webhook:{self.webhook_id}"

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """Read `data`; events of earlier versions have the URL instead of the host."""
        known = dict(data)
        if url := known.pop("url", None):
            known["host"] = host_of(url)
        return cls(**known)


@dataclass(frozen=True)
class WebhookTested(Event):
    """Staff asked for a test message; only the endpoint in question gets it, by webhook alone."""

    # no @event: it is in no feed, and nobody subscribes to it
    type: ClassVar[str] = "webhook.test"
    webhook_id: WebhookId
