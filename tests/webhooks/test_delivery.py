from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.core import mail
from django.db import connection
from standardwebhooks import Webhook

from apps.core.bus import bus
from apps.events.bus import EVENTS, StoredEvent
from apps.events.description import document, schemas_of_events
from apps.users.commands import UserSnapshot
from apps.webhooks import services
from apps.webhooks.commands import EndpointSnapshot, PruneDeliveries, RetryDelivery, RotateSecret, SendTest
from apps.webhooks.models import Endpoint, WebhookDelivery
from apps.webhooks.receivers import fan_out as queue
from apps.webhooks.sender import DISABLE_AFTER_HOURS, Sender
from tests.events.test_description import fitting
from tests.webhooks.receiver import Receiver, answer


def test_a_consumer_verifies_an_event_with_the_standard_s_own_library(
    register: Callable[..., UserSnapshot],
    drain: Callable[[], int],
    endpoint: EndpointSnapshot,
    sender: Sender,
    receiver: Receiver,
) -> None:
    user = register("ada@example.com")
    drain()
    assert sender.drain(5) == 1
    (request,) = receiver.received
    payload = Webhook(endpoint.secret or "").verify(request.body, request.headers)
    assert payload["type"] == "user.created"
    assert payload["data"]["user_id"] == user.id
    assert "." not in request.headers["webhook-id"]


def test_a_forged_body_does_not_verify(endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver) -> None:
    bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    (request,) = receiver.received
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(endpoint.secret or "").verify(request.body + b" ", request.headers)


def test_after_a_rotation_both_secrets_verify(endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver) -> None:
    rotated = bus.execute(RotateSecret(endpoint.id))
    bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    (request,) = receiver.received
    for secret in (endpoint.secret, rotated.secret):
        assert Webhook(secret or "").verify(request.body, request.headers)["type"] == "webhook.test"


def test_a_day_after_a_rotation_the_old_secret_signs_no_more(
    endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    bus.execute(RotateSecret(endpoint.id))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webhooks_endpoint SET previous_secret_until = previous_secret_until - interval '24 h'")
    bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    assert len(receiver.received[0].headers["webhook-signature"].split()) == 1


def test_secrets_are_not_readable_in_the_database(endpoint: EndpointSnapshot) -> None:
    stored = Endpoint.objects.get().secret
    assert (endpoint.secret or "-").removeprefix("whsec_") not in stored
    assert "whsec_" not in stored


@pytest.mark.parametrize(
    "bad",
    [answer("500 Oops"), answer("302 Found", "Location: http://127.0.0.1:9/"), answer("404 Not Found")],
    ids=["500", "redirect", "404"],
)
def test_a_failed_attempt_is_repeated_under_the_same_id_until_it_succeeds(
    bad: bytes,
    endpoint: EndpointSnapshot,
    sender: Sender,
    receiver: Receiver,
    webhooks_due: Callable[[], None],
) -> None:
    receiver.behave(answer=bad, times=2)
    bus.execute(SendTest(endpoint.id))
    for _ in range(3):
        sender.drain(5)
        webhooks_due()
    assert len(receiver.ids) == 3
    assert len(set(receiver.ids)) == 1
    delivery = WebhookDelivery.objects.get()
    assert delivery.state == "delivered"
    assert [entry["status_code"] for entry in delivery.log] == [int(bad.split()[1]), int(bad.split()[1]), 200]


def test_the_waits_follow_the_schedule_and_end_in_a_dead_letter(
    endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver, webhooks_due: Callable[[], None]
) -> None:
    receiver.behave(answer=answer("500 Oops"))
    bus.execute(SendTest(endpoint.id))
    waits = []
    for _ in range(7):
        sender.drain(5)
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM due_at - now()) FROM webhooks_webhookdelivery")
            waits.append(float(cursor.fetchone()[0]))
        webhooks_due()
    planned = [5, 300, 1800, 7200, 18000, 36000, 36000]
    assert all(0.85 * plan <= wait <= 1.1 * plan for wait, plan in zip(waits, planned, strict=True)), waits
    sender.drain(5)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.due_at, len(delivery.log)) == ("dead", None, 8)


def test_a_dead_letter_can_be_sent_again_under_its_id(
    endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    delivery_id = bus.execute(SendTest(endpoint.id))
    WebhookDelivery.objects.update(state="dead", due_at=None, attempts=8)
    bus.execute(RetryDelivery(endpoint.id, delivery_id))
    sender.drain(5)
    assert WebhookDelivery.objects.get().state == "delivered"
    assert receiver.ids == [WebhookDelivery.objects.get().message_id]


def test_retry_after_is_honoured(endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver) -> None:
    receiver.behave(answer=answer("429 Too Many Requests", "Retry-After: 120"))
    bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM due_at - now()) FROM webhooks_webhookdelivery")
        assert 115 < float(cursor.fetchone()[0]) <= 120


def test_an_endpoint_that_is_gone_is_disabled_and_staff_are_told(
    register: Callable[..., UserSnapshot],
    drain: Callable[[], int],
    endpoint: EndpointSnapshot,
    sender: Sender,
    receiver: Receiver,
) -> None:
    receiver.behave(answer=answer("410 Gone"))
    register("boss@example.com", is_staff=True)
    bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    stored = Endpoint.objects.get()
    assert not stored.is_active
    assert "410" in stored.disabled_reason
    drain()
    assert any("disabled" in message.subject and message.bcc == ["boss@example.com"] for message in mail.outbox)


def test_an_endpoint_that_has_failed_for_days_is_disabled(
    endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    receiver.behave(answer=answer("500 Oops"))
    with connection.cursor() as cursor:
        sql = "UPDATE webhooks_endpoint SET failures = 3, failing_since = now() - make_interval(hours => %s)"
        cursor.execute(sql, [DISABLE_AFTER_HOURS + 1])
    bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    assert not Endpoint.objects.get().is_active


@pytest.mark.parametrize("mode", ["reset", "flood"])
def test_a_rude_receiver_is_survived(mode: str, endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver) -> None:
    receiver.behave(mode, times=1)
    bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    (entry,) = WebhookDelivery.objects.get().log
    assert len(json.dumps(entry)) < 2000
    assert entry["status_code"] == (200 if mode == "flood" else None)


def test_old_settled_deliveries_are_pruned_in_batches_and_waiting_ones_are_not(
    endpoint: EndpointSnapshot, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PRUNE_BATCH", 2)
    for _ in range(5):
        bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    bus.execute(SendTest(endpoint.id))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webhooks_webhookdelivery SET settled_at = settled_at - interval '31 days'")
    assert bus.execute(PruneDeliveries()) == 5
    assert WebhookDelivery.objects.get().state == "pending"


def test_what_an_endpoint_gets_is_as_described(endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver) -> None:
    for number, (kind, schema) in enumerate(schemas_of_events().items(), start=1):
        if kind in EVENTS:
            queue([StoredEvent(number, kind, "user:7", schema["examples"][0], datetime.now(UTC))])
    bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    told = {json.loads(request.body)["type"]: request for request in receiver.received}
    assert told.keys() == document()["channels"]["webhooks"]["messages"].keys()
    for kind, request in told.items():
        fitting("webhooks", "payload", kind).validate(json.loads(request.body))
        fitting("webhooks", "headers", kind).validate(request.headers)
    assert not fitting("webhooks", "headers", "user.created").is_valid({})
