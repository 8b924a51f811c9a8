"""A machine whose clock is wrong neither steals nor loses a lease: all times are the database's."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from apps.core.queue.work_queue import claim
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot

HOUR = 3600.0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("offset", [HOUR, -HOUR], ids=["an hour fast", "an hour slow"])
def test_a_wrong_clock_takes_no_lease_early(
    offset: float, register: Callable[..., UserSnapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    register()
    fan_out()
    right = time.time
    held = claim("events_delivery", limit=100)
    monkeypatch.setattr(time, "time", lambda: right() + offset)
    assert claim("events_delivery", limit=100) == []
    assert set(Delivery.objects.values_list("id", flat=True)) == set(held)


@pytest.mark.django_db(transaction=True)
def test_events_written_by_a_clock_that_steps_back_are_still_due_at_once(
    register: Callable[..., UserSnapshot], drain: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    register("before@example.com")
    monkeypatch.setattr(time, "time", lambda: right() - HOUR)
    register("after@example.com")
    drain()
    assert Delivery.objects.filter(receiver="users.send_welcome_email", state="delivered").count() == 2
