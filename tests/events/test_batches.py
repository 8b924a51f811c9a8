"""Receivers that take many at once, and many deliveries settled at once; one row's error stays that row's outcome."""

from __future__ import annotations

from collections.abc import Callable

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
from apps.profiles.commands import LookUpPerson, Person, RecordEnrichment
from apps.profiles.models import Profile
from apps.users.commands import UserSnapshot
from apps.users.events import UserRegistered

Register = Callable[..., UserSnapshot]
PROFILE, MAIL, ENRICHMENT = "profiles.create_profile", "users.send_welcome_email", "profiles.enrich_profile"


def registered(register: Register, count: int, only: str) -> list[UserSnapshot]:
    """So many users, whose deliveries to one receiver wait."""
    users = [register(f"{number}@example.com") for number in range(count)]
    fan_out()
    Delivery.objects.exclude(receiver=only).delete()
    return users


def outcomes() -> list[tuple[str, int]]:
    return list(Delivery.objects.order_by("event_id").values_list("state", "attempts"))


@pytest.mark.django_db
class TestManyAtOnce:
    def statements(self, register: Register, count: int) -> list[str]:
        registered(register, count, PROFILE)
        with CaptureQueriesContext(connection) as seen:
            deliveries.work(seconds=5)
        assert Profile.objects.count() == count
        assert set(outcomes()) == {("delivered", 1)}
        return [query["sql"] for query in seen.captured_queries]

    def test_their_number_costs_no_statements(self, register: Register) -> None:
        few = len(self.statements(register, 3))
        Profile.objects.all().delete()
        Delivery.objects.all().delete()
        connection.cursor().execute("DELETE FROM users_user")
        many = self.statements(register, 60)
        assert len(many) == few, "one statement makes all profiles, another settles all deliveries"

    def test_one_that_the_database_refuses_fails_alone(self, register: Register) -> None:
        users = registered(register, 5, PROFILE)
        with connection.cursor() as cursor:
            cursor.execute(
                f"ALTER TABLE profiles_profile ADD CONSTRAINT for_this_test CHECK (user_id <> {users[2].id})"
            )
        deliveries.work(seconds=5)
        assert [state for state, _ in outcomes()] == ["delivered", "delivered", "failed", "delivered", "delivered"]
        assert Profile.objects.count() == 4

    def test_one_that_was_taken_over_takes_nothing_of_the_others_along(
        self, register: Register, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        users = registered(register, 5, PROFILE)
        run_all = deliveries._run_all

        def overtaken(batch: list[Delivery]) -> None:
            run_all(batch)
            Delivery.objects.filter(event__aggregate=f"user:{users[2].id}").update(token=None)

        monkeypatch.setattr(deliveries, "_run_all", overtaken)
        batch = deliveries._claim(lines.DIRECT, 5, 30)
        assert not deliveries._deliver_together(batch), "the mark and the effects are one transaction"
        assert not Profile.objects.exists()

    def test_who_waits_for_another_machine_takes_one_at_a_time(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="one event at a time"):
            on(UserRegistered, waits=True, many=True)(lambda events: None)


@pytest.mark.django_db(transaction=True)
class TestWaiting:
    def test_answers_are_kept_together_and_a_refused_one_alone(self, register: Register) -> None:
        users = registered(register, 6, ENRICHMENT)
        handler = bus._find(RecordEnrichment)

        def record(command: RecordEnrichment) -> None:
            handler(command)
            if command.user_id == users[3].id:
                raise ValueError("not this one")

        with (
            bus.replaced(LookUpPerson, lambda command: Person("N", "", "")),
            bus.replaced(RecordEnrichment, record),
        ):
            batch = deliveries._claim_waiting(6)
            deliveries._work_off(batch, claimed=float("inf"))
        assert [state for state, _ in outcomes()] == ["delivered"] * 3 + ["failed"] + ["delivered"] * 2
        assert set(Profile.objects.values_list("user_id", flat=True)) == {user.id for user in users} - {users[3].id}

    def test_what_cannot_start_in_time_is_given_back_uncounted(self, register: Register) -> None:
        registered(register, 3, MAIL)
        deliveries._work_off(deliveries._claim_waiting(3), claimed=float("-inf"))
        assert not mail.outbox
        assert outcomes() == [("pending", 0)] * 3
        assert deliveries.work_waiting(seconds=5, threads=2) == 3
        assert outcomes() == [("delivered", 1)] * 3

    def test_a_slow_receiver_does_not_hold_up_a_quick_one(self, register: Register) -> None:
        registered(register, 6, "")
        for number in range(2):
            register(f"more-{number}@example.com")
        fan_out()
        Delivery.objects.filter(receiver=PROFILE).delete()
        rows = deliveries._claim_waiting(20)
        parts = list(lines.parts(rows, 4))
        assert sum(len(part) for part in parts) == len(rows)
        assert all(len({row.receiver for row in part}) == 1 for part in parts)
        assert all(part == sorted(part, key=lambda row: row.id) for part in parts)

    def test_many_threads_do_each_once(self, register: Register) -> None:
        registered(register, 40, MAIL)
        assert deliveries.work_waiting(seconds=30, threads=4) == 40
        assert outcomes() == [("delivered", 1)] * 40
        assert len({letter.to[0] for letter in mail.outbox}) == len(mail.outbox) == 40
