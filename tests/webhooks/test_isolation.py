"""An endpoint that hangs, drips or fails must not delay the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from apps.core.bus import bus
from apps.webhooks import outbound, repositories
from apps.webhooks.commands import DeleteEndpoint, EndpointSnapshot, FanOut, RegisterEndpoint, SendTest, Told
from apps.webhooks.messages import Outcome
from apps.webhooks.models import Endpoint, WebhookDelivery
from apps.webhooks.repositories import Endpoints
from apps.webhooks.sender import Sender
from tests.core.racing import at_once, held_open, waiting_for_a_lock
from tests.waiting import wait_for
from tests.webhooks.receiver import Receiver, answer


@pytest.fixture
def two_seconds(monkeypatch: pytest.MonkeyPatch) -> float:
    """The total time-out, shortened."""
    monkeypatch.setattr(outbound, "TOTAL_SECONDS", 2.0)
    return 2.0


@pytest.mark.parametrize("mode", ["hang", "trickle"])
def test_an_answer_that_is_stretched_ends_at_the_total_time_out(
    mode: str, two_seconds: float, endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    receiver.behave(mode)
    bus.execute(SendTest(endpoint.id))
    start = time.monotonic()
    sender.drain(1)
    assert time.monotonic() - start < two_seconds + 1.5
    (entry,) = WebhookDelivery.objects.get().log
    assert "no complete answer" in entry["error"]


def test_hanging_endpoints_do_not_delay_a_healthy_one(
    two_seconds: float, endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    with Receiver() as hanging:
        hanging.behave("hang")
        for _ in range(50):
            bus.execute(SendTest(bus.execute(RegisterEndpoint(hanging.url)).id))
        for _ in range(20):
            bus.execute(SendTest(endpoint.id))
        sender.drain(1)
        healthy = WebhookDelivery.objects.filter(endpoint_id=endpoint.id)
        latencies = [entry["latency_ms"] for delivery in healthy for entry in delivery.log]
        first, last = (
            min(d.settled_at for d in healthy if d.settled_at),
            max(d.settled_at for d in healthy if d.settled_at),
        )
    assert len(latencies) == 20
    assert (last - first).total_seconds() < two_seconds / 2


def test_a_failing_endpoint_is_probed_by_one_request_at_a_time(endpoint: EndpointSnapshot, sender: Sender) -> None:
    Endpoint.objects.update(failures=repositories.BREAKER_THRESHOLD)
    for _ in range(10):
        bus.execute(SendTest(endpoint.id))
    assert len(sender._claim(100, 100)) == 1
    assert sender._claim(100, 100) == []


def test_one_success_closes_the_breaker_of_an_endpoint(
    endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    Endpoint.objects.update(failures=repositories.BREAKER_THRESHOLD)
    for _ in range(10):
        bus.execute(SendTest(endpoint.id))
    sender.drain(5)
    assert len(receiver.received) == 10
    assert Endpoint.objects.get().failures == 0


def test_an_endpoint_has_no_more_in_flight_than_its_room(endpoint: EndpointSnapshot, sender: Sender) -> None:
    for _ in range(repositories.PER_ENDPOINT + 10):
        bus.execute(SendTest(endpoint.id))
    assert len(sender._claim(1000, 1000)) == repositories.PER_ENDPOINT
    assert sender._claim(1000, 1000) == []


def test_endpoints_that_fail_take_at_most_half_of_the_room(
    endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    failing = [bus.execute(RegisterEndpoint(receiver.url)).id for _ in range(6)]
    Endpoint.objects.filter(id__in=failing).update(failures=1)
    for endpoint_id in [*failing, endpoint.id]:
        for _ in range(4):
            bus.execute(SendTest(endpoint_id))
    claimed = sender._claim(16, 8)
    assert sum(message.failing for message in claimed) == 8
    assert sum(not message.failing for message in claimed) == 4


def test_a_change_of_an_endpoint_does_not_hold_up_the_events_for_it(endpoint: EndpointSnapshot) -> None:
    """A delivery's foreign key waits for FOR UPDATE, and not for FOR NO KEY UPDATE."""
    with transaction.atomic():
        Endpoints().lock(endpoint.id)
        assert at_once(1, lambda number: bus.execute(FanOut((Told(1, "user.created", "{}"),)))) == [1]


def test_what_comes_while_an_endpoint_is_deleted_goes_with_it_and_fails_nobody(endpoint: EndpointSnapshot) -> None:
    with ThreadPoolExecutor(1) as pool:
        with held_open(lambda: bus.execute(DeleteEndpoint(endpoint.id))):
            coming = pool.submit(at_once, 1, lambda number: bus.execute(FanOut((Told(1, "user.created", "{}"),))))
            wait_for(waiting_for_a_lock, "the event waits for the deletion")
        assert coming.result(10) == [0]


def test_what_was_deleted_meanwhile_is_dropped(endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver) -> None:
    other = bus.execute(RegisterEndpoint(receiver.url)).id
    for endpoint_id in (endpoint.id, other):
        bus.execute(SendTest(endpoint_id))
    outcomes = [Outcome(one, datetime.now(UTC), 1, 410, "answered 410") for one in sender._claim(10, 10)]
    bus.execute(DeleteEndpoint(other))
    sender.settle(outcomes)
    assert [one.state for one in WebhookDelivery.objects.all()] == ["dead"]
    assert not Endpoint.objects.get().is_active


def test_claims_of_a_dead_sender_fall_due_again(endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver) -> None:
    bus.execute(SendTest(endpoint.id))
    (message,) = sender._claim(10, 10)
    assert sender.drain(1) == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webhooks_webhookdelivery SET due_at = due_at - interval '60 s'")
    assert sender.drain(5) == 1
    assert receiver.ids == [message.message_id]


def test_an_outcome_that_comes_after_the_lease_was_lost_is_dropped(
    endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver, webhooks_due: Callable[[], None]
) -> None:
    bus.execute(SendTest(endpoint.id))
    (late,) = sender._claim(10, 10)
    webhooks_due()
    sender.drain(5)
    outcome = Outcome(late, WebhookDelivery.objects.get().created_at, 1, 500, "answered 500")
    sender.settle([outcome])
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, len(delivery.log)) == ("delivered", 1)
    assert Endpoint.objects.get().failures == 0


def test_a_thousand_refusing_endpoints_do_not_delay_a_healthy_one(
    endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver
) -> None:
    with Receiver() as failing:
        failing.behave(answer=answer("500 Oops"))
        url = failing.url
    # the receiver is gone: every connection is refused
    Endpoint.objects.bulk_create(
        [Endpoint(url=url, secret=Endpoint.objects.get(id=endpoint.id).secret) for _ in range(1000)]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO webhooks_webhookdelivery"
            " (endpoint_id, message_id, event_type, body, request_id, state, log, attempts, last_error)"
            " SELECT id, 'm' || id, 'webhook.test', '{}', '', 'pending', '[]', 0, '' FROM webhooks_endpoint"
        )
    start = time.monotonic()
    sender.drain(30)
    assert len(receiver.received) == 1
    assert WebhookDelivery.objects.filter(state="failed").count() == 1000
    assert time.monotonic() - start < 30
