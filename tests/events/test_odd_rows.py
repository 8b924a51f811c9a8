"""One row's error fails only that row: what cannot be read, sent or shown does not stop a loop over rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events.deliveries import BACKOFF, work, work_waiting
from apps.events.models import Delivery, OutboxEvent
from apps.events.queries import ReadFeed
from apps.events.relay import Relay, fan_out
from apps.users.commands import RegisterUser, UserSnapshot
from tests.conftest import PASSWORD
from tests.events.conftest import Greet
from tests.waiting import wait_for

# PostgreSQL keeps it, and Python refuses to read it
HUGE = """
    UPDATE events_outboxevent SET data = jsonb_build_object('n', ('1' || repeat('0', 5000))::numeric) WHERE id = %s"""


@pytest.fixture
def three(register: Callable[..., UserSnapshot], transactional_db: None, greeter: str) -> list[OutboxEvent]:
    """Three events, the second of which is for the test to spoil."""
    for number in range(3):
        register(f"{number}@example.com")
    return list(OutboxEvent.objects.order_by("id"))


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def states(receiver: str = "events.greet") -> list[str]:
    return list(Delivery.objects.filter(receiver=receiver).order_by("event_id").values_list("state", flat=True))


class TestRelay:
    def test_an_event_that_cannot_be_fanned_out_waits_and_the_others_go_on(
        self, three: list[OutboxEvent], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spoilt = three[1]
        constraint = f"CHECK (aggregate <> '{spoilt.aggregate}')"
        sql(f"ALTER TABLE events_delivery ADD CONSTRAINT for_this_test {constraint}")
        try:
            running = Relay()
            assert running.turn() == 2
            assert running.turn() == 0
            bus.execute(RegisterUser("later@example.com", "Later"))
            assert running.turn() == 1
            assert list(OutboxEvent.objects.filter(position=None)) == [spoilt]
        finally:
            sql("ALTER TABLE events_delivery DROP CONSTRAINT for_this_test")
        monkeypatch.setattr(time, "monotonic", lambda: 10.0**9)
        assert running.turn() == 1
        assert Delivery.objects.filter(event=spoilt).exists()


class TestDeliveries:
    def test_what_no_longer_fits_its_class_fails_alone(self, three: list[OutboxEvent]) -> None:
        for data in ('{"user_id": 1, "surname": "x"}', "[1]", "null", '"text"'):
            sql("UPDATE events_outboxevent SET data = %s::jsonb WHERE id = %s", data, three[1].id)
            sql("DELETE FROM events_delivery")
            sql("UPDATE events_outboxevent SET position = NULL")
            fan_out()
            work(seconds=5)
            assert states() == ["delivered", "failed", "delivered"], data

    def test_what_cannot_be_read_is_a_dead_letter_that_says_so(self, three: list[OutboxEvent]) -> None:
        sql(HUGE, three[1].id)
        fan_out()
        work(seconds=5)
        work(seconds=5)
        work_waiting(seconds=5, threads=2)
        assert states() == ["delivered", "dead", "delivered"]
        assert states("users.send_welcome_email")[1] == "dead"
        assert "cannot be read" in Delivery.objects.filter(event=three[1])[0].last_error

    def test_a_reason_that_cannot_be_stored_as_it_is_stops_nobody(self, three: list[OutboxEvent]) -> None:
        def refuse(command: Greet) -> None:
            if three[1].data["user_id"] in command.user_ids:
                raise ValueError("a NUL \0 and half a pair \ud800")

        fan_out()
        with bus.replaced(Greet, refuse):
            work(seconds=5)
        assert states() == ["delivered", "failed", "delivered"]
        assert "a NUL  and half a pair ?" in Delivery.objects.get(receiver="events.greet", event=three[1]).last_error

    def test_one_that_takes_its_worker_down_each_time_is_given_up(self, three: list[OutboxEvent]) -> None:
        fan_out()
        Delivery.objects.filter(event=three[1]).update(attempts=BACKOFF.max_attempts)
        work(seconds=5)
        assert states() == ["delivered", "dead", "delivered"]


def test_a_reader_of_the_feed_comes_past_what_cannot_be_read(three: list[OutboxEvent], staff: APIClient) -> None:
    sql(HUGE, three[1].id)
    fan_out()
    page = bus.ask(ReadFeed())
    assert [event["id"] for event in page.results][:3] == [event.id for event in three]
    assert "unreadable" in page.results[1]["data"]
    assert page.results[2]["data"] == three[2].data
    assert staff.get("/api/v1/events").status_code == 200


def overview_without_reasons(support: Client) -> str:
    """The overview; empty while a panel says why it cannot be drawn: on a busy machine Valkey may be late once."""
    page = support.get("/admin/").content.decode()
    return "" if 'class="reason"' in page else page


def test_the_admin_and_the_command_line_show_what_they_can(three: list[OutboxEvent]) -> None:
    bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True))
    support = Client()
    assert support.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
    fan_out()
    sql(HUGE, three[1].id)
    sql("UPDATE events_outboxevent SET aggregate = E'user:4\\n2' WHERE id = %s", three[0].id)
    Delivery.objects.update(state="dead", due_at=None, last_error="[/closes nothing] <b>")
    page = wait_for(lambda: overview_without_reasons(support), "every panel can be drawn")
    assert "[/closes nothing] &lt;b&gt;" in page
    for name in ("outboxevent", "delivery"):
        assert support.get(f"/admin/events/{name}/").status_code == 200
    said = StringIO()
    call_command("outbox", stdout=said)
    assert "[/closes nothing] <b>" in said.getvalue()


def test_a_list_with_a_row_that_cannot_be_read_leads_to_the_overview_and_not_to_itself(
    three: list[OutboxEvent],
) -> None:
    bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True))
    support = Client()
    assert support.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
    fan_out()
    sql("UPDATE events_delivery SET settled_at = 'infinity' WHERE event_id = %s", three[1].id)
    answer = support.get("/admin/events/delivery/")
    assert answer["Location"] == "/admin/"
    assert "cannot be read" in str(next(iter(get_messages(answer.wsgi_request))))
