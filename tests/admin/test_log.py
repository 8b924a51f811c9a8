"""The admin's log: it says what happened, and outlives the people and rows it names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.users.commands import DeleteUser, EraseNext, UserSnapshot
from apps.users.models import User
from tests.admin.conftest import act

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


def test_what_a_deleted_staff_user_did_can_still_be_read(
    support: Client, boss: UserSnapshot, register: Register, client: Client
) -> None:
    ada = register()
    act(support, "users/user", "deactivate", ada.id)
    eve = register("eve@example.com", "Eve", is_staff=True)
    bus.execute(DeleteUser(boss.id))
    bus.execute(DeleteUser(ada.id))
    while bus.execute(EraseNext()):
        pass
    client.force_login(User.objects.get(id=eve.id))
    listed = client.get("/admin/core/adminnote/").content.decode()
    assert "deactivated" in listed
    # who and whom, by their numbers: their names are erased
    assert f"user {boss.id}" in listed
    assert f"user {ada.id}" in listed
    assert "ada@example.com" not in listed
    narrowed = client.get(f"/admin/core/adminnote/?user_id={boss.id}").content.decode()
    assert "deactivated" in narrowed


def test_of_a_deletion_of_many_only_what_was_deleted_is_logged(
    support: Client, boss: UserSnapshot, register: Register
) -> None:
    ada, eve = register(), register("eve@example.com")
    answer = act(support, "users/user", "delete_selected", ada.id, boss.id, eve.id)
    assert "last active staff" in answer.content.decode()
    assert list(User.objects.values_list("id", flat=True)) == [boss.id]
    logged = AdminNote.objects.values_list("flag", "object_id", "name").order_by("object_id")
    assert sorted(logged) == [(3, str(one.id), f"user {one.id}") for one in (ada, eve)]


def test_a_refused_deletion_of_one_is_not_logged(support: Client, boss: UserSnapshot) -> None:
    answer = support.post(f"/admin/users/user/{boss.id}/delete/", {"post": "yes"}, follow=True)
    assert "last active staff" in answer.content.decode()
    assert not AdminNote.objects.exists()


def test_the_history_of_a_row_and_ones_own_doings(support: Client, register: Register) -> None:
    ada = register()
    act(support, "users/user", "deactivate", ada.id)
    history = support.get(f"/admin/users/user/{ada.id}/history/", follow=True)
    assert "deactivated" in history.content.decode()
    assert f"/admin/users/user/{ada.id}/change/" in support.get("/admin/").content.decode()
