"""What the directory said of somebody who moves or leaves is forgotten, and nobody asks it about them again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from django.core import mail
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events.models import Delivery, OutboxEvent
from apps.events.relay import fan_out
from apps.profiles.commands import ForgetPerson, LookUpPerson
from apps.profiles.errors import CacheAway
from apps.profiles.models import Profile
from apps.users.commands import DeleteUser, UserSnapshot
from config.stack.people import PeopleDirectory
from tests.profiles.fixtures import known_people
from tests.users.leavers import EMAIL, move, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def moved(zoe: UserSnapshot, as_zoe: APIClient, anyone: APIClient) -> UserSnapshot:
    """A user who has moved twice."""
    move(as_zoe, anyone)
    return zoe


def test_what_the_directory_said_of_an_address_that_changes_is_forgotten(
    moved: UserSnapshot, drain: Callable[[], int], make_due: Callable[[], None]
) -> None:
    asked: list[str] = []

    def away_once(wanted: ForgetPerson) -> bool:
        asked.append(wanted.email)
        if len(asked) == 1:
            raise CacheAway
        return True

    with bus.replaced(ForgetPerson, away_once):
        drain()
        waiting = Delivery.objects.filter(receiver="profiles.forget_changed_addresses", state="failed").get()
        assert waiting.attempts == 0, "nobody's failure"
        make_due()
        drain()
    assert set(asked) == {"zoe.moved@example.com", "zoe.last@example.com"}


def test_what_the_directory_said_is_forgotten(zoe: UserSnapshot, valkey: redis.Redis) -> None:
    known = known_people()
    known.keep(EMAIL, None, known.claim(EMAIL) or "")
    assert known.recall(EMAIL)
    bus.execute(DeleteUser(zoe.id))
    work()
    assert known.recall(EMAIL) is None


def test_it_is_forgotten_of_every_address(moved: UserSnapshot, valkey: redis.Redis) -> None:
    fan_out()
    known = known_people()
    for email in (EMAIL, "zoe.moved@example.com"):
        known.keep(email, None, known.claim(email) or "")
    bus.execute(DeleteUser(moved.id))
    work(2)
    assert [known.recall(email) for email in (EMAIL, "zoe.moved@example.com")] == [None, None]


def test_nobody_is_looked_up_any_more(directory: PeopleDirectory, zoe: UserSnapshot, drain: Callable[[], int]) -> None:
    fan_out()
    bus.execute(DeleteUser(zoe.id))
    drain()
    assert (mail.outbox, directory.served) == ([], 0)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert not Profile.objects.exists()


def test_nor_by_a_worker_that_read_the_event_before(zoe: UserSnapshot, drain: Callable[[], int]) -> None:
    """The worker has the address in its hands already."""
    before = OutboxEvent.objects.get()
    bus.execute(DeleteUser(zoe.id))
    OutboxEvent.objects.filter(id=before.id).update(data=before.data)
    with bus.replaced(LookUpPerson, lambda wanted: pytest.fail("nobody is asked about who is gone")):
        drain()
    assert mail.outbox == []
