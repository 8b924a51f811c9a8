"""Receivers that take many at once, and many deliveries settled at once; one row's error stays that row's outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.bus import bus
from apps.events import deliveries, lines
from apps.events.bus import on
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot
from apps.users.events import UserRegistered
from tests.events.steps import Connect, Keep, Stepped, connected, effects, outcomes, record, sql, step

Register = Callable[..., UserSnapshot]
MAIL = "users.send_welcome_email"


def registered(register: Register, count: int, only: str) -> list[UserSnapshot]:
    """So many users, whose deliveries to one receiver wait."""
    users = [register(f"{number}@example.com") for number in range(count)]
    fan_out()
    Delivery.objects.exclude(receiver=only).delete()
    return users


def stepped(count: int) -> None:
    """So many steps, each somebody else's, whose deliveries wait."""
    for number in range(count):
        step(f"{number}", [number])
    fan_out()


@pytest.mark.django_db
class TestManyAtOnce:
    @pytest.fixture(autouse=True)
    def together(self, steps: None) -> Iterator[None]:
        """A receiver that keeps many steps in one statement."""

        def keep_all(told: Sequence[Stepped]) -> None:
            sql("INSERT INTO effects (number) SELECT unnest(%s::int[])", [one.number for one in told])

        with connected(keep_all, Stepped, many=True):
            yield

    def statements(self, count: int) -> list[str]:
        stepped(count)
        with CaptureQueriesContext(connection) as seen:
            deliveries.work(seconds=5)
        assert sorted(effects()) == list(range(count))
        assert set(outcomes()) == {("delivered", 1)}
        return [query["sql"] for query in seen.captured_queries]

    def test_their_number_costs_no_statements(self) -> None:
        few = len(self.statements(3))
        sql("TRUNCATE effects, events_delivery")
        many = self.statements(60)
        assert len(many) == few, "one statement keeps all steps, another settles all deliveries"

    def test_one_that_the_database_refuses_fails_alone(self) -> None:
        sql("ALTER TABLE effects ADD CONSTRAINT for_this_test CHECK (number <> 2)")
        stepped(5)
        deliveries.work(seconds=5)
        assert [state for state, _ in outcomes()] == ["delivered", "delivered", "failed", "delivered", "delivered"]
        assert sorted(effects()) == [0, 1, 3, 4]

    def test_one_that_was_taken_over_takes_nothing_of_the_others_along(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stepped(5)
        run_all = deliveries._run_all

        def overtaken(batch: list[Delivery]) -> None:
            run_all(batch)
            Delivery.objects.filter(event__aggregate="2").update(token=None)

        monkeypatch.setattr(deliveries, "_run_all", overtaken)
        batch = deliveries._claim(lines.DIRECT, 5, 30)
        assert not deliveries._deliver_together(batch), "the mark and the effects are one transaction"
        assert not effects()

    def test_who_waits_for_another_machine_takes_one_at_a_time(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="one event at a time"):
            on(UserRegistered, waits=True, many=True)(lambda events: None)


@pytest.mark.django_db(transaction=True)
class TestWaiting:
    def test_answers_are_kept_together_and_a_refused_one_alone(self, connect: Connect) -> None:
        connect("asks", waits=True)
        stepped(6)

        def refuse(command: Keep) -> None:
            record(command)
            if command.number == 3:
                raise ValueError("not this one")

        with bus.replaced(Keep, refuse):
            batch = deliveries._claim_waiting(6)
            deliveries._work_off(batch, claimed=float("inf"))
        assert [state for state, _ in outcomes()] == ["delivered"] * 3 + ["failed"] + ["delivered"] * 2
        assert sorted(effects()) == [0, 1, 2, 4, 5]

    def test_what_cannot_start_in_time_is_given_back_uncounted(self, register: Register) -> None:
        registered(register, 3, MAIL)
        deliveries._work_off(deliveries._claim_waiting(3), claimed=float("-inf"))
        assert not mail.outbox
        assert outcomes() == [("pending", 0)] * 3
        assert deliveries.work_waiting(seconds=5, threads=2) == 3
        assert outcomes() == [("delivered", 1)] * 3

    def test_a_slow_receiver_does_not_hold_up_a_quick_one(self, connect: Connect) -> None:
        connect("slow", waits=True)
        connect("quick", waits=True)
        stepped(8)
        rows = deliveries._claim_waiting(20)
        parts = list(lines.parts(rows, 4))
        assert sum(len(part) for part in parts) == len(rows) == 16
        assert all(len({row.receiver for row in part}) == 1 for part in parts)
        assert all(part == sorted(part, key=lambda row: row.id) for part in parts)

    def test_many_threads_do_each_once(self, register: Register) -> None:
        registered(register, 40, MAIL)
        assert deliveries.work_waiting(seconds=30, threads=4) == 40
        assert outcomes() == [("delivered", 1)] * 40
        assert len({letter.to[0] for letter in mail.outbox}) == len(mail.outbox) == 40
