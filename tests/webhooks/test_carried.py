"""The client's traceparent goes with the work to every webhook, also if nobody traces."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from apps.core.bus import bus
from apps.events.models import OutboxEvent
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.commands import CheckEndpoint, RegisterEndpoint
from apps.webhooks.repositories import SendQueue
from apps.webhooks.secrets import SecretBox
from apps.webhooks.sender import Sender
from config.logging import with_trace
from tests.traces.test_carried import SAMPLED, SPAN, TRACE, UNSAMPLED
from tests.webhooks.conftest import in_use
from tests.webhooks.receiver import Receiver

Drain = Callable[[], int]


@pytest.mark.django_db(transaction=True)
def test_it_reaches_the_webhook(anyone: APIClient, drain: Drain) -> None:
    with (
        in_use(AddressPolicy(allow_private=True)) as policy,
        Receiver() as receiver,
        capture_logs(processors=[with_trace]) as lines,
    ):
        with bus.replaced(CheckEndpoint, lambda command: None):
            bus.execute(RegisterEndpoint(receiver.url))
        for number, place in enumerate((SAMPLED, UNSAMPLED, "nonsense")):
            person = {"email": f"{number}@example.com", "name": "Ada"}
            assert anyone.post("/api/v1/users", person, headers={"traceparent": place}).status_code == 201
        assert list(OutboxEvent.objects.order_by("id").values_list("traceparent", flat=True)) == [
            SAMPLED,
            UNSAMPLED,
            "",
        ]
        drain()
        Sender(policy, SendQueue(SecretBox(settings.ENV.secret_key)), ()).drain(5)
        sent = sorted(request.headers.get("traceparent", "") for request in receiver.received)
    assert sent == ["", UNSAMPLED, SAMPLED]
    told = {line["event"] for line in lines if line.get("trace_id") == TRACE and line["span_id"] == SPAN}
    assert told >= {"request_finished", "event_delivered", "webhook_delivered"}
