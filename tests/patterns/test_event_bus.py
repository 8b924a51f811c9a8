"""Event bus: without the outbox a crash loses events, a rollback tells lies, and one failing receiver hides others."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.core.queue.work_queue import DeliveryState, claim
from apps.events import deliveries
from apps.events.bus import EVENTS, RECEIVERS, Event, NotInTransaction, event, happened, on, publish, publish_all
from apps.events.commands import ReplayDeliveries
from apps.events.models import Delivery, OutboxEvent
from apps.events.queries import ReadFeed
from apps.events.relay import fan_out
from apps.users.commands import RegisterUser
from tests.core.racing import at_once, held_open
from tests.processes import Processes
from tests.waiting import wait_for

Drain = Callable[[], int]
Connect = Callable[..., str]


@dataclass(frozen=True)
class Ticked(Event):
    """A clock ticked."""

    type: ClassVar[str] = "test.ticked"
    clock: str
    number: int

    @property
    def aggregate(self) -> str:
        return self.clock


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    """The event, for the length of a test."""
    event(Ticked)
    yield
    del EVENTS[Ticked.type]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects a receiver for the length of a test; returns the name on its deliveries."""
    with ExitStack() as afterwards:

        def connect(function: Callable[[Any], None]) -> str:
            on(Ticked)(function)
            name = f"patterns.{function.__name__}"
            afterwards.callback(happened.disconnect, sender=Ticked, dispatch_uid=name)
            afterwards.callback(RECEIVERS.pop, name)
            return name

        yield connect


def tick(*ticks: tuple[str, int]) -> None:
    with transaction.atomic():
        for clock, number in ticks:
            publish(Ticked(clock, number))


def keep(tick: Ticked) -> None:
    """A receiver with an effect in the database."""
    AdminNote.objects.create(user_id=0, flag=1, name=f"{tick.clock}{tick.number}")


def effects() -> list[str]:
    return list(AdminNote.objects.order_by("at", "name").values_list("name", flat=True))


def states(receiver: str) -> list[tuple[str, int]]:
    return list(Delivery.objects.filter(receiver=receiver).order_by("event_id").values_list("state", "attempts"))


class TestPublish:
    """An event is committed together with its cause, or not at all."""

    @pytest.mark.django_db(transaction=True)
    def test_outside_a_transaction_it_is_refused(self) -> None:
        with pytest.raises(NotInTransaction, match="Ticked"):
            publish(Ticked("hall", 1))
        with pytest.raises(NotInTransaction):
            publish_all([Ticked("hall", 1)])
        assert not OutboxEvent.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_what_is_rolled_back_is_not_told(self, connect: Connect, drain: Drain) -> None:
        connect(keep)
        with suppress(ZeroDivisionError), transaction.atomic():
            publish(Ticked("hall", 1))
            raise ZeroDivisionError
        tick(("hall", 2))
        drain()
        assert effects() == ["hall2"]

    def test_two_receivers_of_one_name_are_a_mistake(self, connect: Connect) -> None:
        connect(keep)
        with pytest.raises(ImproperlyConfigured, match=r"patterns\.keep"):
            on(Ticked)(keep)
        with pytest.raises(ImproperlyConfigured, match=r"test\.ticked"):
            event(Ticked)


@pytest.mark.django_db
class TestReceivers:
    """Each receiver succeeds, fails and is retried by itself."""

    def test_one_that_raises_stops_nobody_and_is_retried_alone(
        self, connect: Connect, drain: Drain, make_due: Callable[[], None]
    ) -> None:
        broken = [True]

        def moody(tick: Ticked) -> None:
            AdminNote.objects.create(user_id=0, flag=1, name="moody")
            if broken[0]:
                raise RuntimeError("not today")

        first, second = connect(moody), connect(keep)
        tick(("hall", 1))
        drain()
        assert (states(first), states(second)) == ([("failed", 1)], [("delivered", 1)])
        assert effects() == ["hall1"], "the effect of the failed attempt was rolled back"
        assert "not today" in Delivery.objects.get(receiver=first).last_error
        broken[0] = False
        make_due()
        drain()
        assert (states(first), states(second)) == ([("delivered", 2)], [("delivered", 1)])
        assert effects() == ["hall1", "moody"]

    def test_events_of_one_aggregate_arrive_in_order(
        self, connect: Connect, drain: Drain, make_due: Callable[[], None]
    ) -> None:
        broken = [True]

        def in_order(tick: Ticked) -> None:
            if broken[0] and tick == Ticked("hall", 1):
                raise RuntimeError("not today")
            keep(tick)

        connect(in_order)
        tick(("hall", 1), ("hall", 2), ("attic", 1))
        drain()
        assert effects() == ["attic1"], "hall's second tick does not overtake its first"
        broken[0] = False
        make_due()
        drain()
        assert effects() == ["attic1", "hall1", "hall2"]

    def test_poison_is_put_aside_after_the_last_attempt_and_can_be_replayed(
        self, connect: Connect, drain: Drain, make_due: Callable[[], None]
    ) -> None:
        broken = [True]

        def poisonable(tick: Ticked) -> None:
            if broken[0] and tick.number == 1:
                raise RuntimeError("poison")
            keep(tick)

        name = connect(poisonable)
        tick(("hall", 1), ("hall", 2), ("attic", 2))
        most = deliveries.BACKOFF.max_attempts
        for _ in range(most):
            drain()
            make_due()
        drain()
        assert states(name) == [("dead", most), ("delivered", 1), ("delivered", 1)]
        broken[0] = False
        bus.execute(ReplayDeliveries((Delivery.objects.get(state=DeliveryState.DEAD).id,), by="a test"))
        drain()
        assert states(name)[0] == ("delivered", 1)
        assert sorted(effects()) == ["attic2", "hall1", "hall2"]

    def test_a_receiver_that_is_no_longer_there_is_named(self, connect: Connect, drain: Drain) -> None:
        name = connect(keep)
        tick(("hall", 1))
        fan_out()
        gone = RECEIVERS.pop(name)
        try:
            drain()
        finally:
            RECEIVERS[name] = gone
        assert f"no receiver {name}" in Delivery.objects.get(receiver=name).last_error


@pytest.mark.django_db(transaction=True)
class TestExactlyOnce:
    """However often a delivery is worked, its effect on the database happens once."""

    def claimed(self, name: str) -> Delivery:
        (key,) = claim("events_delivery", where="q.receiver = %s", params=[name], limit=1)
        return Delivery.objects.select_related("event").get(id=key)

    def test_the_same_claim_worked_by_four_threads(self, connect: Connect) -> None:
        name = connect(keep)
        tick(("hall", 1))
        fan_out()
        delivery = self.claimed(name)
        assert at_once(4, lambda _: deliveries.deliver(delivery)) == [None] * 4
        assert effects() == ["hall1"]
        assert states(name) == [("delivered", 1)]

    def test_a_worker_that_was_thought_dead_keeps_nothing(self, connect: Connect, make_due: Callable[[], None]) -> None:
        name = connect(keep)
        tick(("hall", 1))
        fan_out()
        slow = self.claimed(name)
        make_due()
        quick = self.claimed(name)
        deliveries.deliver(slow)
        assert effects() == []
        deliveries.deliver(quick)
        deliveries.deliver(slow)
        assert effects() == ["hall1"]

    def test_racing_relays_and_workers_share_the_work(self, connect: Connect) -> None:
        name = connect(keep)
        ticks = [(f"clock{number % 10}-", number) for number in range(100)]
        tick(*ticks)

        def work(_: int) -> None:
            while OutboxEvent.objects.filter(position=None).exists():
                fan_out(limit=7)
            deliveries.work(seconds=30)

        assert at_once(4, work) == [None] * 4
        deliveries.work(seconds=30)
        assert sorted(effects()) == sorted(f"{clock}{number}" for clock, number in ticks)
        assert {state for state, _ in states(name)} == {"delivered"}
        positions = list(OutboxEvent.objects.values_list("position", flat=True))
        assert len(set(positions)) == len(ticks)


@pytest.mark.django_db(transaction=True)
def test_the_feed_does_not_pass_over_an_event_that_commits_late_under_a_lower_id() -> None:
    def publish_first() -> None:
        publish(Ticked("late", 1))
        # it travels with this one
        OutboxEvent.objects.exists()

    with held_open(publish_first):
        tick(("early", 2))
        fan_out()
        page = bus.ask(ReadFeed())
    fan_out()
    rest = bus.ask(ReadFeed(page.next_position))
    assert [e["data"]["clock"] for e in page.results + rest.results] == ["early", "late"]
    assert rest.results[0]["id"] < page.results[0]["id"], "a reader that goes on by id would have missed it"
    assert bus.ask(ReadFeed(rest.next_position)).results == []


@pytest.mark.django_db(transaction=True)
def test_positions_are_given_out_by_one_relay_at_a_time() -> None:
    tick(("first", 1))
    with held_open(fan_out):
        tick(("second", 2))
        assert fan_out() == 0, "a second relay would commit a higher position before the lower one"
    assert fan_out() == 1
    assert [e["data"]["clock"] for e in bus.ask(ReadFeed()).results] == ["first", "second"]


def test_a_worker_killed_in_mid_delivery_and_a_wiped_broker_lose_nothing(
    processes: Processes, make_due: Callable[[], None], valkey: redis.Redis
) -> None:
    processes.relay()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(30)
        victim = processes.worker(EMAIL_URL=f"smtp://127.0.0.1:{mute.getsockname()[1]}")
        bus.execute(RegisterUser("ada@example.com", "Ada"))
        with mute.accept()[0]:  # the worker waits for the mail server's first word
            victim.kill()
    valkey.flushdb()
    make_due()
    processes.worker()
    wait_for(lambda: list(processes.mail.glob("*")), "the welcome e-mail is sent")
    told = Delivery.objects.filter(event__type="user.created")
    wait_for(lambda: not told.exclude(state=DeliveryState.DELIVERED).exists(), "every receiver was told")
    assert told.get(receiver="users.send_welcome_email").attempts == 2
    assert len(list(processes.mail.glob("*"))) == 1
