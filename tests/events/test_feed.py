"""GET /events: all that happened, oldest first, for staff."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models.functions import Now
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events.commands import PruneEvents
from apps.events.models import Delivery, OutboxEvent
from apps.events.relay import fan_out
from apps.users.commands import DeleteUser, UpdateUser, UserSnapshot
from tests.core.keys import LOST, NEW, OLD, with_keys

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]
EVENTS = "/api/v1/events"


def page(client: APIClient, **given: str) -> tuple[list[str], str]:
    """The types on a page, and its cursor."""
    answer = client.get(EVENTS, given)
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return [event["type"] for event in body["results"]], body["next"]


def test_a_reader_goes_on_from_the_last_page_without_missing_or_repeating_one(
    staff: APIClient, register: Register
) -> None:
    ada = register()
    fan_out()
    types, cursor = page(staff)
    assert types == ["user.created", "user.created"]
    assert page(staff, cursor=cursor) == ([], cursor)
    bus.execute(UpdateUser(ada.id, name="Ada L"))
    bus.execute(DeleteUser(ada.id))
    fan_out()
    first, cursor = page(staff, cursor=cursor, limit="1")
    second, cursor = page(staff, cursor=cursor, limit="1")
    assert first + second == ["user.updated", "user.deleted"]
    assert page(staff, cursor=cursor)[0] == []


def test_an_event_says_what_happened_to_whom_and_why(staff: APIClient, anyone: APIClient) -> None:
    asked = anyone.post(
        "/api/v1/users", {"email": "ada@example.com", "name": "Ada"}, headers={"X-Request-ID": "because-of-this"}
    )
    fan_out()
    event = staff.get(EVENTS).json()["results"][-1]
    assert event.keys() == {"id", "type", "occurred_at", "request_id", "data"}
    assert (event["type"], event["request_id"]) == ("user.created", "because-of-this")
    assert event["data"] == {"user_id": asked.json()["id"], "email": "ada@example.com", "name": "Ada"}


def test_one_type_alone(staff: APIClient, register: Register) -> None:
    bus.execute(UpdateUser(register().id, name="Ada L"))
    fan_out()
    assert page(staff, type="user.updated")[0] == ["user.updated"]
    assert page(staff, type="user.deleted")[0] == []
    answer = staff.get(EVENTS, {"type": "user.born"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/type")
    assert "user.created" in answer.json()["detail"]


def test_it_is_for_staff(register: Register, client_of: Callable[..., APIClient], anyone: APIClient) -> None:
    assert anyone.get(EVENTS).status_code == 401
    assert client_of(register()).get(EVENTS).status_code == 403


@pytest.mark.parametrize("given", [{"cursor": "x"}, {"limit": "0"}, {"limit": "101"}])
def test_nonsense_is_400(staff: APIClient, given: dict[str, str]) -> None:
    answer = staff.get(EVENTS, given)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{next(iter(given))}")


def test_what_is_old_is_pruned_once_told_and_the_rest_when_it_is_older_still(
    staff: APIClient, register: Register, drain: Callable[[], int]
) -> None:
    register("old@example.com")
    drain()
    register("untold@example.com")
    fan_out()
    days = settings.ENV.event_retention_days, settings.ENV.undelivered_retention_days
    OutboxEvent.objects.update(occurred_at=Now() - timedelta(days=days[0] + 1))
    register("new@example.com")
    fan_out()
    assert bus.execute(PruneEvents()) > 0
    left = OutboxEvent.objects.filter(type="user.created").order_by("id")
    assert [event.data["email"] for event in left] == ["untold@example.com", "new@example.com"]
    assert not Delivery.objects.exclude(event__in=left).exists()

    OutboxEvent.objects.filter(id=left[0].id).update(occurred_at=Now() - timedelta(days=days[1] + 1))
    assert bus.execute(PruneEvents()) == 1
    assert [event.data["email"] for event in left.all()] == ["new@example.com"]


@pytest.mark.parametrize(("fallbacks", "status"), [((LOST, OLD), 200), ((), 400)], ids=["old key kept", "old key gone"])
def test_a_cursor_is_read_as_long_as_its_key_is_there(
    boss: UserSnapshot, client_of: Callable[..., APIClient], fallbacks: tuple[str, ...], status: int
) -> None:
    fan_out()
    cursor = client_of(boss).get(EVENTS).json()["next"]
    with with_keys(NEW, *fallbacks):
        assert client_of(boss).get(EVENTS, {"cursor": cursor}).status_code == status
