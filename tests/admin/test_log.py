"""The admin's log: it says what happened, and outlives the people and rows it names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.users.commands import DeleteUser, EraseNext, UserSnapshot
from apps.users.models import User
from apps.webhooks.models import Endpoint

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


def act(client: Client, page: str, action: str, *keys: Any) -> Any:
    chosen = {"action": action, "_selected_action": [str(key) for key in keys], "post": "yes"}
    return client.post(f"/admin/{page}/", chosen, follow=True)


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


def test_a_new_webhooks_secret_is_on_the_page_that_answers_and_nowhere_else(support: Client) -> None:
    form = {"url": "https://93.184.216.34/hook", "is_active": "on", "description": ""}
    answer = support.post("/admin/webhooks/endpoint/add/", form)
    assert answer.status_code == 200
    (secret,) = set(re.findall(r"whsec_[\w+/=]+", answer.content.decode()))
    rotated = act(support, "webhooks/endpoint", "rotate", Endpoint.objects.get().pk)
    (another,) = set(re.findall(r"whsec_[\w+/=]+", rotated.content.decode()))
    assert another != secret
    for page in (answer, rotated):
        assert "no-store" in page["Cache-Control"]
        assert not page.cookies.get("messages") or "whsec_" not in page.cookies["messages"].value
    assert not [one for one in Session.objects.all() if "whsec_" in str(one.get_decoded())]
    after = support.get("/admin/webhooks/endpoint/").content.decode()
    assert "whsec_" not in after
    assert not AdminNote.objects.filter(message__contains="whsec_").exists()
