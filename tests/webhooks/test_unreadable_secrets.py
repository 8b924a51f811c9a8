"""A secret that cannot be read fails only its own webhook: the others go on, and a rotation repairs it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from standardwebhooks import Webhook

from apps.core.bus import bus
from apps.webhooks.commands import EndpointSnapshot, RegisterEndpoint, RotateSecret, SendTest
from apps.webhooks.models import Endpoint, WebhookDelivery
from apps.webhooks.secrets import SecretBox
from apps.webhooks.sender import Sender
from tests.webhooks.receiver import Receiver

BOX_OF_ANOTHER_KEY = SecretBox("another-key-another-key-another-key-another-key")
ERROR = "the signing secret cannot be read: rotate it"


def unreadable() -> list[str]:
    """Stored values that cannot be read: closed with another key, garbage, empty, not ASCII."""
    return [BOX_OF_ANOTHER_KEY.close("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "garbage", "", "\u00e4\u0416"]


@pytest.mark.parametrize("stored", unreadable(), ids=["other key", "garbage", "empty", "not ascii"])
def test_it_stops_nobody_is_said_on_the_attempt_and_is_healed_by_a_rotation(
    stored: str, endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    broken = bus.execute(RegisterEndpoint(receiver.url)).id
    Endpoint.objects.filter(id=broken).update(secret=stored)
    for endpoint_id in (broken, endpoint.id, broken):
        bus.execute(SendTest(endpoint_id))
    sender.drain(5)
    assert len(receiver.received) == 1
    for delivery in WebhookDelivery.objects.filter(endpoint_id=broken):
        assert (delivery.state, delivery.last_error, delivery.attempts) == ("failed", ERROR, 1)
        assert [(entry["error"], entry["status_code"]) for entry in delivery.log] == [(ERROR, None)]
    # it is not the endpoint that fails
    assert Endpoint.objects.get(id=broken).failures == 0

    rotated = bus.execute(RotateSecret(broken))
    sender.drain(5)
    assert len(receiver.received) == 3
    for request in receiver.received[1:]:
        assert len(request.headers["webhook-signature"].split()) == 1
        Webhook(rotated.secret or "").verify(request.body, request.headers)
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_a_previous_secret_that_cannot_be_read_is_dropped_and_the_new_one_signs(
    endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    rotated = bus.execute(RotateSecret(endpoint.id))
    Endpoint.objects.update(previous_secret="garbage")
    bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    (request,) = receiver.received
    assert len(request.headers["webhook-signature"].split()) == 1
    Webhook(rotated.secret or "").verify(request.body, request.headers)


def test_a_receiver_that_still_has_the_older_secret_is_not_sent_what_only_that_signs(
    endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    bus.execute(RotateSecret(endpoint.id))
    Endpoint.objects.update(secret="garbage")
    bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    assert receiver.received == []
    assert WebhookDelivery.objects.get().last_error == ERROR


def test_one_outcome_that_the_database_refuses_leaves_the_others_settled(
    endpoint: EndpointSnapshot, sender: Sender, monkeypatch: pytest.MonkeyPatch, webhooks_due: Callable[[], None]
) -> None:
    for _ in range(3):
        bus.execute(SendTest(endpoint.id))
    from apps.webhooks.messages import Outcome

    outcomes = [
        Outcome(message, WebhookDelivery.objects.get(id=message.id).created_at, 1, 200)
        for message in sender._claim(10, 10)
    ]
    outcomes[1] = Outcome(outcomes[1].message, outcomes[1].at, 1, 500, "an error with a \0 in it")
    sender.settle(outcomes)
    states = list(WebhookDelivery.objects.order_by("id").values_list("state", flat=True))
    assert states == ["delivered", "pending", "delivered"]
    webhooks_due()
    sender.drain(5)
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
