"""The admin's actions: each asks first, naming what it will touch, acts through the bus, and is in the log."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from django.test import Client

from apps.core.backoffice import actions as admin_actions
from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.core.resilience.breakers import GetBreakers
from apps.core.resilience.circuit_breaker import SharedCircuitBreaker
from apps.events.models import Delivery
from apps.users.commands import UserSnapshot
from apps.users.models import User
from tests.admin.conftest import changed, entry, run

pytestmark = pytest.mark.django_db


def test_a_dead_letter_is_replayed(support: Client, dead_letter: Callable[[], Delivery]) -> None:
    delivery = dead_letter()
    answer = run(support, "events/delivery", "replay", [delivery.pk])
    assert "1 delivery: will be tried again." in answer.content.decode()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.replayed_by) == ("pending", "boss@example.com")
    assert entry() == ("boss@example.com", "will be tried again", str(delivery.pk))


def test_from_the_page_of_a_row_it_leads_back_there(support: Client, dead_letter: Callable[[], Delivery]) -> None:
    delivery = dead_letter()
    page = f"/admin/events/delivery/{delivery.pk}/change/"
    assert 'value="replay"' in support.get(page).content.decode()
    answer = run(support, "events/delivery", "replay", [delivery.pk], back="row")
    assert answer.redirect_chain == [(page, 302)]
    assert 'value="replay"' not in answer.content.decode(), "there is nothing to try again now"


def test_what_a_command_refuses_is_said_and_the_others_are_done(
    support: Client, dead_letter: Callable[[], Delivery], register: Callable[..., UserSnapshot]
) -> None:
    register()
    dead = dead_letter()
    good = Delivery.objects.exclude(pk=dead.pk).earliest("pk")
    answer = run(support, "events/delivery", "replay", sorted([dead.pk, good.pk], reverse=True))
    said = answer.content.decode()
    assert "1 delivery: will be tried again." in said
    assert f"no failed or dead delivery with id {good.pk}" in said
    assert entry()[2] == str(dead.pk)


def test_too_many_at_once_are_refused(
    support: Client,
    dead_letter: Callable[[], Delivery],
    register: Callable[..., UserSnapshot],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register()
    dead_letter()
    monkeypatch.setattr(admin_actions, "MOST_ROWS", 1)
    chosen = {"action": "replay", "_selected_action": ["1"], "select_across": "1", "index": "0"}
    answer = support.post("/admin/events/delivery/", chosen, follow=True)
    assert "Select up to 1 rows at a time; nothing was done." in answer.content.decode()


def test_a_user_is_deactivated_and_activated_but_not_by_themselves(
    support: Client, boss: UserSnapshot, register: Callable[..., UserSnapshot]
) -> None:
    ada = register()
    for action, active in (("deactivate", False), ("activate", True)):
        AdminNote.objects.all().delete()
        run(support, "users/user", action, [ada.id])
        assert User.objects.get(pk=ada.id).is_active is active
        assert entry() == ("boss@example.com", f"{action}d", str(ada.id))
    AdminNote.objects.all().delete()
    assert "You would lock yourself out." in run(support, "users/user", "deactivate", [boss.id]).content.decode()
    assert User.objects.get(pk=boss.id).is_active


def test_a_breaker_is_closed(support: Client, valkey: redis.Redis, breaker: SharedCircuitBreaker) -> None:
    name = breaker.name
    valkey.hset(f"breaker:{name}", mapping={"state": "open", "opened": 0, "failures": 0})
    assert bus.ask(GetBreakers()) == {name: "open"}
    asked = support.post("/admin/breakers/", {"name": name})
    assert f"{name}, open now" in asked.content.decode()
    assert bus.ask(GetBreakers()) == {name: "open"}
    answer = support.post("/admin/breakers/", {"name": name, "post": "yes"}, follow=True)
    assert f"The breaker {name} is closed." in answer.content.decode()
    assert bus.ask(GetBreakers()) == {name: "closed"}
    assert entry() == ("boss@example.com", "closed by hand", name)
    listed = support.get("/admin/core/adminnote/").content.decode()
    assert f"circuit breaker {name}" in listed
    assert support.get("/admin/").status_code == 200
    unknown = support.post("/admin/breakers/", {"name": "nobody", "post": "yes"}, follow=True)
    assert "There is no breaker" in unknown.content.decode()


def test_a_refusal_while_a_form_is_saved_is_said(support: Client, register: Callable[..., UserSnapshot]) -> None:
    ada = register()
    from apps.core.errors import Conflict
    from apps.users.commands import UpdateUser

    def refuse(command: UpdateUser) -> UserSnapshot:
        raise Conflict("Not today.")

    with bus.replaced(UpdateUser, refuse):
        page = f"/admin/users/user/{ada.id}/change/"
        answer = support.post(page, changed(support, page, name="Ada L."), follow=True)
    assert "Not today." in answer.content.decode()
