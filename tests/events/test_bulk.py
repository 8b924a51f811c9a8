"""Bulk never starves people, and people never starve bulk; the order of an aggregate's events holds."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from apps.core.bus import bus
from apps.core.queue.work_queue import TASKS, look
from apps.events import deliveries
from apps.events.bus import publish
from apps.events.models import Delivery, OutboxEvent
from apps.events.queries import ReadFeed
from apps.events.relay import BATCH, Relay, fan_out
from apps.jobs.commands import RunNextJob, SubmitJob
from apps.users.commands import UpdateUser, UserSnapshot
from apps.users.events import UserRegistered
from apps.users.imports import CSV_TYPE, import_users
from apps.users.models import User
from tests.events.steps import Keep, Stepped, answered, connected

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("greeter")]
Register = Callable[..., UserSnapshot]
GREETER = "events.greet"
# as an import leaves them behind, of users who are gone
BULK = """
    INSERT INTO events_outboxevent (type, aggregate, data, request_id, bulk)
    SELECT 'user.created', 'user:-' || n,
        jsonb_build_object('user_id', -n, 'email', n || '@e.com', 'name', 'N'), '', true
    FROM generate_series(1, %s) n"""


@pytest.fixture
def follows(steps: None) -> Iterator[None]:
    """A receiver of new users that waits, and whose answer publishes an event in its turn."""

    def follow(event: UserRegistered) -> Keep:
        return Keep("", event.email, 1)

    def handler(command: Keep) -> None:
        publish(Stepped(command.who, command.number))

    with answered(Keep, handler), connected(follow, UserRegistered, waits=True):
        yield


def sql(statement: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def bulk_taken() -> int:
    return OutboxEvent.objects.filter(bulk=True, position__isnull=False).count()


def imported(*emails: str) -> list[User]:
    import_users(io.BytesIO("\n".join(["email,name", *[f"{email},N" for email in emails]]).encode()), CSV_TYPE)
    return list(User.objects.filter(email__in=emails).order_by("id"))


class TestWhatIsBulk:
    def test_an_import_s_events_and_what_follows_from_them(self, follows: None, drain: Callable[[], int]) -> None:
        imported("ada@example.com")
        drain()
        assert set(OutboxEvent.objects.values_list("type", "bulk")) == {
            ("user.created", True),
            ("test.stepped", True),
        }
        assert set(Delivery.objects.values_list("bulk", flat=True)) == {True}

    def test_that_the_job_is_done_and_what_a_person_does_is_not(
        self, follows: None, register: Register, drain: Callable[[], int]
    ) -> None:
        ada = register()
        bus.execute(SubmitJob("import_users", ada.id, {"kind": CSV_TYPE}, upload=io.BytesIO(b"email,name\nb@x.de,B\n")))
        bus.execute(RunNextJob())
        drain()
        bulk = set(OutboxEvent.objects.values_list("type", "aggregate", "bulk"))
        assert ("user.created", f"user:{ada.id}", False) in bulk
        assert {each for each in bulk if each[0] == "job.finished"} == {
            (kind, aggregate, False) for kind, aggregate, _ in bulk if kind == "job.finished"
        }
        assert ("test.stepped", ada.email, False) in bulk


class TestPeopleFirst:
    def test_a_registration_comes_through_thousands_in_a_turn_each(self, register: Register) -> None:
        sql(BULK, 5 * BATCH)
        fan_out()
        waiting = Delivery.objects.count()
        ada = register()
        relay = Relay()
        relay._broker_away_until = float("inf")
        assert relay.turn() == BATCH
        assert OutboxEvent.objects.get(aggregate=f"user:{ada.id}").position is not None
        # one batch each, as a worker takes them
        assert deliveries.work(seconds=0.0001) > 0
        assert Delivery.objects.get(aggregate=f"user:{ada.id}", receiver=GREETER).state == "delivered"
        # one of hers and one of bulk at a time
        for _ in range(2):
            deliveries.work_waiting(seconds=0.0001)
        assert ["ada@example.com"] in [letter.to for letter in mail.outbox]
        assert len(mail.outbox) <= 3
        assert Delivery.objects.filter(state="pending").count() > waiting

    def test_the_relay_is_woken_for_either(self, register: Register) -> None:
        register()
        fan_out()
        tasks = [TASKS["events.deliver"]]
        (people,) = look(tasks)
        assert people
        sql(BULK, 1)
        fan_out()
        (both,) = look(tasks)
        assert both
        assert both.newest > people.newest
        Delivery.objects.filter(bulk=False).update(due_at=None)
        (only_bulk,) = look(tasks)
        assert only_bulk
        assert people.newest < only_bulk.oldest
        assert only_bulk.newest == both.newest


class TestTheFloor:
    def test_the_relay_takes_some_bulk_however_many_people_there_are(self, register: Register) -> None:
        sql(BULK, 30)
        for number in range(30):
            register(f"{number}@example.com")
        taken = []
        for turn in range(3):
            for number in range(12):
                register(f"{turn}-{number}@example.com")
            fan_out(limit=10)
            taken.append(bulk_taken())
        assert taken == [1, 2, 3]

    def test_workers_do_some_bulk_however_many_people_there_are(self, register: Register) -> None:
        sql(BULK, 100)
        fan_out()
        for turn in range(2):
            for number in range(deliveries.BATCH + 5):
                register(f"{turn}-{number}@example.com")
            fan_out()
            deliveries.work(seconds=0.0001)
            deliveries.work_waiting(seconds=0.0001)
        done = Delivery.objects.filter(bulk=True, state="delivered")
        assert done.filter(waits=False).count() == 2 * deliveries.BATCH // 10
        assert done.filter(waits=True).count() == 2


class TestOrder:
    """Events of one aggregate keep their order, whatever their class."""

    def told(self, aggregate: str, receiver: str = GREETER) -> list[tuple[int, bool]]:
        rows = Delivery.objects.filter(aggregate=aggregate, receiver=receiver).order_by("id")
        return list(rows.values_list("event_id", "bulk"))

    def test_a_bulk_event_before_a_person_s_comes_with_it(self) -> None:
        sql(BULK, 50)
        (bob,) = imported("bob@example.com")
        bus.execute(UpdateUser(bob.id, name="Robert"))
        fan_out(limit=10)
        events = OutboxEvent.objects.filter(aggregate=f"user:{bob.id}").order_by("position")
        assert list(events.values_list("type", flat=True)) == ["user.created", "user.updated"]
        assert [bulk for _, bulk in self.told(f"user:{bob.id}")] == [False], "as fast as the event that waits for it"
        assert bulk_taken() == 10

    def test_one_that_is_already_on_its_way_is_hurried(self) -> None:
        (bob,) = imported("bob@example.com")
        sql(BULK, 5)
        fan_out()
        assert [bulk for _, bulk in self.told(f"user:{bob.id}")] == [True]
        sql("INSERT INTO events_outboxevent (type, aggregate, data, request_id)"
            " VALUES ('user.created', %s, '{}', '')", f"user:{bob.id}")  # fmt: skip
        fan_out()
        assert [bulk for _, bulk in self.told(f"user:{bob.id}")] == [False, False]
        assert Delivery.objects.filter(bulk=True, receiver=GREETER).count() == 5, "the others wait"

    def test_a_bulk_event_does_not_pass_a_person_s_that_waits_for_its_turn(self, register: Register) -> None:
        users = [register(f"{number}@example.com") for number in range(12)]
        last = f"user:{users[-1].id}"
        sql("INSERT INTO events_outboxevent (type, aggregate, data, request_id, bulk)"
            " VALUES ('user.updated', %s, '{}', '', true)", last)  # fmt: skip
        assert fan_out(limit=10) == 10
        assert bulk_taken() == 0
        fan_out(limit=10)
        events = OutboxEvent.objects.filter(aggregate=last).order_by("position")
        assert list(events.values_list("type", flat=True)) == ["user.created", "user.updated"]

    def test_more_before_it_than_a_batch_holds(self) -> None:
        sql("INSERT INTO events_outboxevent (type, aggregate, data, request_id, bulk)"
            " SELECT 'user.updated', 'user:7', '{}', '', n < 26 FROM generate_series(1, 26) n")  # fmt: skip
        while fan_out(limit=10):
            pass
        by_position = list(OutboxEvent.objects.order_by("position").values_list("id", flat=True))
        assert by_position == sorted(by_position)

    def test_the_feed_has_every_event_once(self, register: Register) -> None:
        sql(BULK, 40)
        seen: list[int] = []
        position = 0
        for number in range(20):
            register(f"{number}@example.com")
            fan_out(limit=7)
            page = bus.ask(ReadFeed(position))
            position = page.next_position
            seen += [event["id"] for event in page.results]
        assert sorted(seen) == sorted(OutboxEvent.objects.values_list("id", flat=True))
