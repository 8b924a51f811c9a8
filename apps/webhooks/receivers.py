"""What webhooks do with events."""

from __future__ import annotations

from apps.core.bus import bus
from apps.events.bus import StoredEvent, on
from apps.webhooks.commands import FanOut, TellStaff
from apps.webhooks.events import WebhookDisabled
from apps.webhooks.services import message


@on(None)
def fan_out(event: StoredEvent) -> FanOut:
    """Queue every event for the endpoints that want it."""
    return FanOut(event.id, event.type, message(event.type, event.occurred_at.isoformat(), event.data))


@on(WebhookDisabled, waits=True)
def tell_staff(event: WebhookDisabled) -> None:
    """Let a person look at an endpoint that was disabled."""
    bus.execute(TellStaff(event.webhook_id, event.host, event.reason))
