"""There is always an active staff user left."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.users.commands import DeleteUser, UpdateUser, UserSnapshot
from apps.users.errors import LastStaff
from apps.users.models import User
from tests.conftest import PASSWORD
from tests.core.racing import at_once


@pytest.mark.django_db
def test_the_last_staff_can_be_neither_deleted_nor_deactivated(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]
) -> None:
    boss = register("staff@example.com", "Staff", password=PASSWORD, is_staff=True)
    staff, leaving = client_of(boss), {"password": PASSWORD}
    for answer in (
        staff.delete(f"/api/v1/users/{boss.id}"),
        staff.delete("/api/v1/users/me", leaving),
        staff.patch("/api/v1/users/me", {"is_active": False}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_staff")
    assert staff.patch("/api/v1/users/me", {"name": "Still Here", "is_active": True}).status_code == 200

    register("other@example.com", is_staff=True)
    assert staff.delete("/api/v1/users/me", leaving).status_code == 204


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("go", [DeleteUser, lambda user_id: UpdateUser(user_id, is_active=False)])
def test_of_staff_who_leave_at_once_one_stays(go: Callable[..., object], register: Callable[..., UserSnapshot]) -> None:
    staff = [register(f"{n}@example.com", is_staff=True).id for n in range(6)]
    outcomes = at_once(6, lambda n: bus.execute(go(staff[n])))  # type: ignore[arg-type] # two kinds of commands
    assert sum(isinstance(outcome, LastStaff) for outcome in outcomes) == 1, outcomes
    assert User.objects.filter(is_staff=True, is_active=True).count() == 1
