"""What webhooks do with events."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.bus import bus
from apps.events.bus import StoredEvent, on
from apps.webhooks import mail
from apps.webhooks.commands import FanOut, Told
from apps.webhooks.events import WebhookDisabled
from apps.webhooks.queries import FindWanted
from apps.webhooks.services import message


def wanted(event_types: Sequence[str]) -> set[str]:
    """An endpoint that is active before the relay takes an event is owed it; one that is made active later is not."""
    return bus.ask(FindWanted(tuple(event_types)))


@on(None, many=True, wanted=wanted)
def fan_out(events: Sequence[StoredEvent]) -> None:
    """Queue every event for the endpoints that want it."""
    bus.execute(FanOut(tuple(_told(event) for event in events)))


def _told(event: StoredEvent) -> Told:
    body = message(event.type, event.occurred_at.isoformat(), event.data)
    return Told(event.id, event.type, body, event.request_id, event.traceparent)


@on(WebhookDisabled, waits=True)
def tell_staff(event: WebhookDisabled) -> None:
    """Tell staff by e-mail that an endpoint was disabled."""
    mail.tell_staff(event.webhook_id, event.host, event.reason)
