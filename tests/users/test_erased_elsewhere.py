"""What other people keep is cleaned of who was erased, and nobody else loses anything by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.events.commands import ReplayDeliveries
from apps.events.models import Delivery, OutboxEvent
from apps.events.relay import fan_out
from apps.users.commands import DeleteUser, Leave, UserSnapshot
from apps.users.models import EmailChange, Erasure, User
from apps.webhooks import commands as webhooks
from apps.webhooks.models import WebhookDelivery
from tests.conftest import PASSWORD
from tests.users.leavers import EMAIL, LEAVING, about, work

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


class TestNobodyElse:
    """Whoever leaves takes nothing of others along."""

    def test_who_gets_the_address_next_keeps_what_is_theirs(
        self, zoe: UserSnapshot, register: Register, drain: Callable[[], int], anyone: APIClient
    ) -> None:
        bus.execute(webhooks.RegisterEndpoint("https://93.184.216.34/hook"))
        bus.execute(DeleteUser(zoe.id))
        work()
        new = register(EMAIL, "Zoe Anew", password=PASSWORD)
        assert anyone.post("/api/v1/auth/password-reset", {"email": EMAIL}).status_code == 202
        AdminNote.objects.create(user_id=0, who="x", flag=2, model="x.x", name=f"Mail to {EMAIL}")
        drain()
        Erasure.objects.update(due_at=Now() - timedelta(seconds=1))
        work()
        assert not Erasure.objects.exists()
        assert {data["email"] for data in about(new)} == {EMAIL}
        assert OutboxEvent.objects.get(type="internal.password_reset_requested").data == {"email": EMAIL}
        by_webhook = [json.loads(one.body)["data"] for one in WebhookDelivery.objects.all()]
        assert {one["email"] for one in by_webhook if one["user_id"] == new.id} == {EMAIL}
        pseudonym = {f"erased-{zoe.id}@erased.invalid"}
        assert {data["email"] for data in about(zoe)} == pseudonym
        assert {one["email"] for one in by_webhook if one["user_id"] == zoe.id} == pseudonym
        assert AdminNote.objects.get().name == f"Mail to {EMAIL}"

    def test_an_address_that_was_only_asked_for_is_nobodys(
        self, zoe: UserSnapshot, as_zoe: APIClient, anyone: APIClient
    ) -> None:
        victim = "victim@example.com"
        assert as_zoe.post("/api/v1/auth/email", {"email": victim, **LEAVING}).status_code == 202
        assert anyone.post("/api/v1/auth/password-reset", {"email": victim}).status_code == 202
        bus.execute(DeleteUser(zoe.id))
        work(2)
        assert OutboxEvent.objects.get(type="internal.password_reset_requested").data == {"email": victim}
        assert not EmailChange.objects.exists()


def test_staff_who_leave_are_called_by_their_number(register: Register, client: Client) -> None:
    register("other@example.com", "Other", is_staff=True)
    boss = register(EMAIL, "Zoe Quill", is_staff=True, password=PASSWORD)
    client.force_login(User.objects.get(id=boss.id))
    ada = register()
    client.post("/admin/users/user/", {"action": "deactivate", "_selected_action": [ada.id], "post": "yes"})
    fan_out()
    dead = Delivery.objects.filter(receiver="users.send_welcome_email").first()
    assert dead
    Delivery.objects.filter(id=dead.id).update(state="dead", due_at=None)
    bus.execute(ReplayDeliveries((dead.id,), EMAIL))
    AdminNote.objects.create(user_id=0, who="x", flag=2, name=f"Mail to {EMAIL.upper()}", message="")
    bus.execute(Leave(boss.id, "192.0.2.1", PASSWORD))
    work()
    assert Delivery.objects.get(id=dead.id).replayed_by == f"user {boss.id}"
    assert set(AdminNote.objects.values_list("who", "name")) == {
        (f"user {boss.id}", "ada@example.com"),
        ("x", f"Mail to erased-{boss.id}@erased.invalid"),
    }
