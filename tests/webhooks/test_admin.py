"""Webhooks in the admin."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.users.commands import UserSnapshot
from apps.webhooks.commands import FanOut, RegisterEndpoint, RotateSecret, Told, UpdateEndpoint
from apps.webhooks.models import Endpoint, WebhookDelivery
from tests.admin.conftest import act, again, changed, entry, form_of, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(boss: UserSnapshot) -> Endpoint:
    made = bus.execute(RegisterEndpoint("https://93.184.216.34/hook"))
    return Endpoint.objects.get(pk=made.id)


def test_a_webhooks_form_as_well(support: Client) -> None:
    made = bus.execute(RegisterEndpoint("https://93.184.216.34/hook", ("user.created",), "first"))
    page = f"/admin/webhooks/endpoint/{made.id}/change/"
    stale = changed(support, page, description="mine")
    bus.execute(UpdateEndpoint(made.id, event_types=("user.deleted",), is_active=False))
    answer = support.post(page, stale)
    assert "from user.created to user.deleted" in str(form_of(answer).errors["event_types"])
    assert Endpoint.objects.get().description == "first"
    assert support.post(page, again(answer)).status_code == 302
    kept = Endpoint.objects.get()
    assert (kept.description, kept.event_types, kept.is_active) == ("mine", ["user.deleted"], False)

    rotated = changed(support, page, description="later")
    bus.execute(RotateSecret(made.id))
    assert json.loads(form_of(support.post(page, rotated)).data["seen"])["version"] == kept.version + 1


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


def test_a_webhook_is_switched_off_and_on(support: Client, endpoint: Endpoint) -> None:
    for action, active, done in (("disable", False, "switched off"), ("enable", True, "switched on")):
        AdminNote.objects.all().delete()
        run(support, "webhooks/endpoint", action, [endpoint.pk])
        assert Endpoint.objects.get().is_active is active
        assert entry() == ("boss@example.com", done, str(endpoint.pk))


def test_a_new_secret_is_shown_once(support: Client, endpoint: Endpoint) -> None:
    before = endpoint.secret
    answer = run(support, "webhooks/endpoint", "rotate", [endpoint.pk])
    assert len(set(re.findall(r"whsec_[\w+/=]+", answer.content.decode()))) == 1
    assert "no-store" in answer["Cache-Control"]
    endpoint.refresh_from_db()
    assert (endpoint.previous_secret, endpoint.secret == before) == (before, False)
    assert entry() == ("boss@example.com", "secret rotated", str(endpoint.pk))
    for page in ("", f"{endpoint.pk}/change/", f"{endpoint.pk}/history/"):
        assert "whsec_" not in support.get(f"/admin/webhooks/endpoint/{page}").content.decode()


def test_a_webhook_delivery_is_sent_again(support: Client, endpoint: Endpoint) -> None:
    bus.execute(FanOut((Told(1, "user.created", '{"type":"user.created"}'),)))
    delivery = WebhookDelivery.objects.get()
    WebhookDelivery.objects.update(state="dead", due_at=None, attempts=8)
    run(support, "webhooks/webhookdelivery", "send_again", [delivery.pk])
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.due_at is None) == ("pending", 0, False)
    assert entry() == ("boss@example.com", "will be sent again", str(delivery.pk))


def test_deleting_names_the_rows_without_reading_what_goes_with_them(support: Client, endpoint: Endpoint) -> None:
    bus.execute(FanOut((Told(1, "user.created", '{"type":"user.created"}'),)))
    asked = support.get(f"/admin/webhooks/endpoint/{endpoint.pk}/delete/").content.decode()
    assert f"{endpoint}, with everything that belongs to it" in asked
    support.post(f"/admin/webhooks/endpoint/{endpoint.pk}/delete/", {"post": "yes"})
    assert not Endpoint.objects.exists()
    assert entry()[0] == "boss@example.com"
