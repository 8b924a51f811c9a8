"""POST /auth/password: whoever knows the old password chooses a new one, and is told."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.db.models.functions import Now
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events import deliveries
from apps.events.models import Delivery, OutboxEvent
from apps.users.commands import SetPassword, UserSnapshot
from apps.users.models import User
from apps.webhooks import commands as webhooks
from apps.webhooks.models import WebhookDelivery
from tests.conftest import PASSWORD
from tests.users.letters import post, subjects

pytestmark = pytest.mark.django_db
TOKEN, CHANGE, ME = "/api/v1/auth/token", "/api/v1/auth/password", "/api/v1/users/me"
NEW = "quite another phrase"
CHANGED = "Your password was changed"


def logged_in(password: str = PASSWORD) -> APIClient:
    """A client that has just logged in as Ada."""
    client = APIClient()
    answer = client.post(TOKEN, {"email": "ada@example.com", "password": password})
    assert answer.status_code == 200, answer.json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    return client


def change(client: APIClient, current: str = PASSWORD, new: str = NEW, **more: Any) -> Any:
    return client.post(CHANGE, {"current": current, "new": new}, **more)


def test_the_password_changes_and_every_other_session_ends(ada: UserSnapshot) -> None:
    mine, other, browser = logged_in(), logged_in(), Client()
    User.objects.update(is_staff=True)
    assert browser.login(username=ada.email, password=PASSWORD)
    answer = change(mine)
    assert (answer.status_code, answer.content) == (204, b"")
    assert mine.get(ME).status_code == 200
    assert other.get(ME).status_code == 401
    assert browser.get("/admin/").status_code == 302
    logged_in(NEW)
    assert APIClient().post(TOKEN, {"email": ada.email, "password": PASSWORD}).status_code == 401
    post()
    assert subjects() == [CHANGED]


def test_whoever_does_not_know_it_changes_nothing(ada: UserSnapshot) -> None:
    client, other = logged_in(), logged_in()
    answer = change(client, current="wrong")
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_password")
    assert (client.get(ME).status_code, other.get(ME).status_code) == (200, 200)
    post()
    assert subjects() == []
    logged_in()


def test_guesses_count_like_failed_log_ins_also_under_a_key(ada: UserSnapshot) -> None:
    client = logged_in()
    statuses = [change(client, current="wrong", headers={"Idempotency-Key": f"k{n}"}).status_code for n in range(11)]
    assert statuses == [403] * 10 + [429]
    assert change(client).status_code == 429
    assert APIClient().post(TOKEN, {"email": ada.email, "password": PASSWORD}).status_code == 429


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("short", "password_too_short"),
        ("83561920475", "password_entirely_numeric"),
        ("ada@example", "password_too_similar"),
    ],
)
def test_the_new_one_keeps_the_rules(ada: UserSnapshot, new: str, code: str) -> None:
    answer = change(logged_in(), new=new)
    assert answer.status_code == 400
    assert [(p["pointer"], p["code"]) for p in answer.json()["errors"]] == [("/new", code)]
    logged_in()


def test_without_a_token_it_is_401(anyone: APIClient) -> None:
    assert change(anyone).status_code == 401


def test_a_repeat_under_its_key_is_answered_the_same_and_told_once(ada: UserSnapshot) -> None:
    client = logged_in()
    answers = [change(client, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    post()
    assert subjects() == [CHANGED]


def test_what_staff_or_the_command_line_sets_is_told_too(ada: UserSnapshot) -> None:
    bus.execute(SetPassword(ada.id, NEW))
    post()
    assert subjects() == [CHANGED]
    assert mail.outbox[-1].extra_headers["Message-ID"] == f"<password-{ada.id}-2@{settings.PRODUCT_SLUG}>"


def test_nobody_outside_hears_of_it_and_no_event_has_a_secret(ada: UserSnapshot, staff: APIClient) -> None:
    webhook = bus.execute(webhooks.RegisterEndpoint("https://93.184.216.34/"))
    assert change(logged_in()).status_code == 204
    event = OutboxEvent.objects.get(type="internal.password_changed")
    assert event.data == {"user_id": ada.id, "email": ada.email, "name": ada.name, "version": 2}
    post()
    assert {d.receiver for d in event.deliveries.all()} == {"users.send_password_changed"}
    # what a relay of an earlier version makes for webhooks, while a deploy goes on
    Delivery.objects.create(event=event, receiver="webhooks.fan_out", aggregate=event.aggregate, due_at=Now())
    deliveries.work(seconds=30)
    assert event.deliveries.get(receiver="webhooks.fan_out").state == "delivered"
    assert not WebhookDelivery.objects.filter(endpoint_id=webhook.id, event_type=event.type).exists()
    told = staff.get("/api/v1/events").json()["results"]
    assert [e["type"] for e in told] == ["user.created", "user.created"]
    assert staff.get("/api/v1/events", {"type": event.type}).status_code == 400
    webhook_of_it = {"url": "https://93.184.216.34/", "event_types": [event.type]}
    assert staff.post("/api/v1/webhooks", webhook_of_it).json()["errors"][0]["code"] == "unknown_type"
