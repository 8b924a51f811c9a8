"""Many events become many webhooks in one statement; what people wait for is sent before bulk, which never starves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.bus import bus
from apps.core.context import bound, continued
from apps.core.queue.work_queue import TASKS, look
from apps.events import deliveries, metrics
from apps.events.bus import bulk
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot
from apps.webhooks.commands import EndpointSnapshot, FanOut, RegisterEndpoint, Told
from apps.webhooks.models import WebhookDelivery
from apps.webhooks.repositories import BREAKER_THRESHOLD, BULK_ROOM, PER_ENDPOINT, SendQueue
from apps.webhooks.secrets import SecretBox

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


def queue(first: int, last: int) -> None:
    bus.execute(FanOut(tuple(Told(number, "user.created", "{}") for number in range(first, last))))


def send_queue() -> SendQueue:
    return SendQueue(SecretBox(settings.ENV.secret_key))


def claimed(limit: int = 500) -> list[bool]:
    """The classes of what a claim takes: True for bulk."""
    ids = [message.id for message in send_queue().claim(limit, failing=False)]
    return sorted(WebhookDelivery.objects.filter(id__in=ids).values_list("bulk", flat=True))


def test_many_events_become_webhooks_in_one_statement_and_keep_their_request_ids(
    endpoint: EndpointSnapshot, register: Register
) -> None:
    for number in range(5):
        with bound(f"request-{number}"):
            register(f"{number}@example.com")
    fan_out()
    Delivery.objects.exclude(receiver="webhooks.fan_out").delete()
    with CaptureQueriesContext(connection) as seen:
        deliveries.work(seconds=5)
    assert sum("INTO webhooks_webhookdelivery" in query["sql"] for query in seen.captured_queries) == 1
    made = WebhookDelivery.objects.order_by("id").values_list("message_id", "request_id", "event_id", "bulk")
    events = Delivery.objects.order_by("event_id").values_list("event_id", flat=True)
    assert list(made) == [(f"evt_{key}", f"request-{number}", key, False) for number, key in enumerate(events)]


def test_of_many_events_each_stays_in_its_own_trace(endpoint: EndpointSnapshot, register: Register) -> None:
    places = [f"00-{number:032x}-{number:016x}-01" for number in (1, 2)]
    for number, place in enumerate(places):
        with continued(place):
            register(f"{number}@example.com")
    fan_out()
    deliveries.work(seconds=5)
    assert list(WebhookDelivery.objects.order_by("event_id").values_list("traceparent", flat=True)) == places


def test_one_event_that_cannot_be_told_is_that_event_s_outcome(endpoint: EndpointSnapshot, register: Register) -> None:
    for number in range(3):
        register(f"{number}@example.com")
    fan_out()
    rows = Delivery.objects.filter(receiver="webhooks.fan_out").order_by("event_id")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_outboxevent SET data = '[1]' WHERE id = %s", [rows[1].event_id])
    deliveries.work(seconds=5)
    assert [row.state for row in rows] == ["delivered", "failed", "delivered"]
    assert WebhookDelivery.objects.count() == 2


def test_what_follows_from_bulk_is_bulk(endpoint: EndpointSnapshot, register: Register) -> None:
    with bulk():
        register("bulk@example.com")
    register("ada@example.com")
    fan_out()
    deliveries.work(seconds=5)
    assert list(WebhookDelivery.objects.order_by("event_id").values_list("bulk", flat=True)) == [True, False]


class TestTurns:
    def test_people_s_go_first_and_bulk_gets_the_room_that_is_left(self, endpoint: EndpointSnapshot) -> None:
        with bulk():
            queue(1, 100)
        queue(100, 110)
        assert claimed() == [False] * 10 + [True] * (PER_ENDPOINT - 10)

    def test_some_bulk_is_in_flight_however_many_people_there_are(self, endpoint: EndpointSnapshot) -> None:
        with bulk():
            queue(1, 100)
        queue(100, 200)
        assert claimed() == [False] * (PER_ENDPOINT - BULK_ROOM) + [True] * BULK_ROOM
        assert claimed() == [], "an endpoint has no more in flight than its room"
        # one of people's has landed: that room is people's
        WebhookDelivery.objects.filter(bulk=False, token__isnull=False).first().delete()  # type: ignore[union-attr]
        assert claimed() == [False]

    def test_without_bulk_people_have_all_the_room(self, endpoint: EndpointSnapshot) -> None:
        queue(1, 100)
        assert claimed() == [False] * PER_ENDPOINT

    def test_the_sender_s_room_is_people_s_too(self, endpoint: EndpointSnapshot) -> None:
        for number in range(3):
            bus.execute(RegisterEndpoint(f"https://93.184.216.34/{number}"))
        with bulk():
            queue(1, 20)
        queue(20, 40)
        assert claimed(10) == [False] * 10 + [True], "and always a little bulk"

    def test_one_request_at_a_time_probes_a_failing_endpoint(self, endpoint: EndpointSnapshot) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE webhooks_endpoint SET failures = %s", [BREAKER_THRESHOLD])
        with bulk():
            queue(1, 20)
        queue(20, 40)
        (probe,) = send_queue().claim(10, failing=True)
        assert not WebhookDelivery.objects.get(id=probe.id).bulk

    def test_the_relay_wakes_the_sender_for_either(self, endpoint: EndpointSnapshot) -> None:
        tasks = [TASKS["webhooks.send"]]
        with bulk():
            queue(1, 2)
        (only_bulk,) = look(tasks)
        assert only_bulk
        queue(2, 3)
        (both,) = look(tasks)
        assert both
        assert (both.oldest, both.newest) == (only_bulk.oldest, only_bulk.newest + 1)


def test_how_long_the_oldest_waits_is_said_by_class(register: Register) -> None:
    def ages() -> dict[str, float]:
        (family,) = (one for one in metrics.backlog() if one.name == "outbox_oldest_seconds")
        return {sample.labels["class"]: sample.value for sample in family.samples}

    assert ages() == {"people": 0.0, "bulk": 0.0}
    with bulk():
        register("bulk@example.com")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_outboxevent SET occurred_at = now() - interval '1 hour'")
    register()
    for _ in range(2):
        found = ages()
        assert found["people"] < 3000 < found["bulk"]
        # and once they are on their way
        fan_out()
