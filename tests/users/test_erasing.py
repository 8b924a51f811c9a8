"""What a worker erases of somebody who was deleted: all of it, whatever dies or is away meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.personal import HOLDINGS, Holding, Person
from apps.events import personal as events_personal
from apps.events.bus import publish
from apps.events.models import Delivery, OutboxEvent
from apps.events.relay import fan_out
from apps.jobs.commands import SubmitJob
from apps.jobs.models import Job
from apps.users import leaving
from apps.users.account_repositories import key_of_mail
from apps.users.commands import DeleteUser, EraseNext, SetPassword, UserSnapshot
from apps.users.events import UserUpdated
from apps.users.links import Purpose
from apps.users.metrics import erasing
from apps.users.models import Erasure, LoginAttempts
from tests.users.leavers import EMAIL, about, move, work

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


class TestAddresses:
    """Somebody may have had several."""

    @pytest.fixture
    def moved(self, zoe: UserSnapshot, as_zoe: APIClient, anyone: APIClient) -> UserSnapshot:
        """A user who has moved twice."""
        move(as_zoe, anyone)
        return zoe

    def test_all_of_them_are_erased(self, moved: UserSnapshot) -> None:
        fan_out()
        other = bus.execute(SubmitJob("process", None, {}))
        Job.objects.filter(id=other).update(due_at=None, finished_at=Now(), error=f"{EMAIL}, zoe.moved@example.com")
        bus.execute(DeleteUser(moved.id))
        work(2)
        assert not OutboxEvent.objects.filter(data__icontains="zoe").exists()
        pseudonym = f"erased-{moved.id}@erased.invalid"
        requested = OutboxEvent.objects.filter(type="internal.password_reset_requested")
        assert set(requested.values_list("data__email", flat=True)) == {pseudonym}
        assert Job.objects.get(id=other).error == f"{pseudonym}, {pseudonym}"
        keys = [key_of_mail(purpose, email) for purpose in Purpose for email in (EMAIL, "zoe.last@example.com")]
        assert not LoginAttempts.objects.filter(key__in=keys).exists()

    def test_no_mail_goes_to_a_pseudonym(self, zoe: UserSnapshot, as_zoe: APIClient, drain: Callable[[], int]) -> None:
        bus.execute(SetPassword(zoe.id, "quite another phrase"))
        bus.execute(DeleteUser(zoe.id))
        drain()
        assert mail.outbox == []
        assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}


class TestTheWorker:
    """What is not erased at once."""

    @pytest.fixture
    def long_life(self, zoe: UserSnapshot, monkeypatch: pytest.MonkeyPatch) -> UserSnapshot:
        """A user with far more events than are erased at once, deleted."""
        monkeypatch.setattr(events_personal, "AT_ONCE", 3)
        monkeypatch.setattr(events_personal, "BATCH", 4)
        for number in range(20):
            publish(UserUpdated(zoe.id, EMAIL, f"Zoe {number}"))
        bus.execute(DeleteUser(zoe.id))
        left = [data["email"] for data in about(zoe)].count(EMAIL)
        assert left == 19, "22 events, of which the newest three are done"
        return zoe

    def test_many_events_are_erased_in_batches(self, long_life: UserSnapshot) -> None:
        work()
        assert {data["email"] for data in about(long_life)} == {f"erased-{long_life.id}@erased.invalid"}
        assert {data["name"] for data in about(long_life)} == {f"user {long_life.id}"}

    def test_killed_at_any_moment_another_worker_goes_on(
        self, long_life: UserSnapshot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        step, calls = HOLDINGS["events"].step, iter(range(3))
        assert step
        seen: list[str] = []

        def until_it_dies(person: Person, after: str) -> str | None:
            seen.append(after)
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return step(person, after)

        monkeypatch.setitem(HOLDINGS, "events", Holding("events", step=until_it_dies))
        with pytest.raises(KeyboardInterrupt):
            bus.execute(EraseNext())
        row = Erasure.objects.get()
        assert (row.holding, row.after) == ("events", seen[-1])
        monkeypatch.setitem(HOLDINGS, "events", Holding("events", step=step))
        assert not bus.execute(EraseNext()), "the dead worker's lease still holds"
        work(2)
        Erasure.objects.update(due_at=Now() - timedelta(seconds=1))
        work()
        assert {data["email"] for data in about(long_life)} == {f"erased-{long_life.id}@erased.invalid"}
        assert not Erasure.objects.exists()

    def test_what_fails_is_tried_again_and_holds_up_nothing_else(
        self, long_life: UserSnapshot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(person: Person, after: str) -> None:
            raise ConnectionError("away")

        first = {"broken": Holding("broken", step=away, waits=True)}
        monkeypatch.setattr(leaving, "HOLDINGS", first | HOLDINGS)
        work()
        assert {data["email"] for data in about(long_life)} == {f"erased-{long_life.id}@erased.invalid"}
        row = Erasure.objects.get()
        assert (row.passes, row.last_error, row.token) == (0, "broken", None)
        monkeypatch.setattr(leaving, "HOLDINGS", HOLDINGS)
        Erasure.objects.update(due_at=Now() - timedelta(seconds=1))
        work(2)
        assert not Erasure.objects.exists()

    def test_a_long_erasure_gives_others_their_turn_and_forgets_no_failure(
        self, long_life: UserSnapshot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(person: Person, after: str) -> None:
            raise ConnectionError("away")

        monkeypatch.setattr(leaving, "SLICE_SECONDS", 0.0)
        monkeypatch.setattr(leaving, "HOLDINGS", {"broken": Holding("broken", step=away)} | HOLDINGS)
        turns, row = 0, Erasure.objects.get()
        while row.due_at and row.due_at <= timezone.now() and turns < 100:
            bus.execute(EraseNext())
            turns += 1
            row.refresh_from_db()
        assert turns > 20 / events_personal.BATCH, "a batch a turn"
        assert (row.passes, row.last_error, row.holding) == (0, "broken", "")
        assert {data["email"] for data in about(long_life)} == {f"erased-{long_life.id}@erased.invalid"}

    def test_who_it_was_is_encrypted_until_it_is_forgotten(self, zoe: UserSnapshot) -> None:
        bus.execute(DeleteUser(zoe.id))
        row = Erasure.objects.get()
        assert "zoe" not in row.person.lower()
        assert row.user_id == zoe.id

    def test_prometheus_sees_one_that_does_not_end(self, zoe: UserSnapshot) -> None:
        def oldest() -> float:
            (metric,) = erasing()
            return float(metric.samples[0].value)

        assert oldest() == 0
        bus.execute(DeleteUser(zoe.id))
        Erasure.objects.update(begun_at=Now() - timedelta(hours=2))
        assert 7200 <= oldest() < 7300

    def test_what_was_under_way_is_caught_by_the_second_pass(self, zoe: UserSnapshot) -> None:
        fan_out()
        bus.execute(DeleteUser(zoe.id))
        work()
        Delivery.objects.update(last_error=f"550 no such user {EMAIL}")
        work()
        assert Erasure.objects.get().passes == 1, "not before its time"
        Erasure.objects.update(due_at=Now() - timedelta(seconds=1))
        work()
        assert set(Delivery.objects.values_list("last_error", flat=True)) == {events_personal.ERASED}


def test_every_table_that_names_people_is_looked_after() -> None:
    """A new table with a user in it has to say how it is told and erased: then add it here."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public'
            AND (column_name ~ '(^|_)(user|owner|caller|subject|email|who|person|by)(_id)?$')"""
        )
        found = {name for (name,) in cursor.fetchall()}
    assert found == {
        "users_user", "users_session", "users_erasure", "events_delivery",
        "profiles_profile",
        "jobs_job",
        "core_idempotentanswer", "core_adminnote", "django_admin_log", "users_emailchange",
        "users_secondfactor",
    }  # fmt: skip
