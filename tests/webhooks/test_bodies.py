"""What the routes take: bodies, keys for a repeat, and descriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from apps.core.api import idempotency
from apps.core.bus import bus
from apps.core.errors import Invalid
from apps.core.models import IdempotentAnswer
from apps.users.commands import UpdateUser, UserSnapshot
from apps.users.models import User
from apps.webhooks import rules as webhook_rules
from tests.core.test_body_limits import bounded

pytestmark = pytest.mark.django_db
ADA = {"email": "ada@example.com", "name": "Ada"}


def test_where_nothing_is_asked_for_nothing_has_to_be_sent(staff: APIClient) -> None:
    hook = staff.post("/api/v1/webhooks", {"url": "https://93.184.216.34/hook"}).json()["id"]
    for path in (f"/api/v1/webhooks/{hook}/rotate-secret", f"/api/v2/webhooks/{hook}/test"):
        assert staff.generic("POST", path).status_code in (200, 202)
        assert staff.post(path, {}).status_code in (200, 202)
        assert staff.generic("POST", path, "[]", content_type="application/json").status_code == 400


def test_types_rules_and_typos_are_told_together(staff: APIClient) -> None:
    wrong = {"url": "http://127.0.0.1/", "event_types": ["nope"], "description": "a\x1bb", "is_active": 1, "x": 1}
    for method, path in (("post", "/api/v1/webhooks"), ("patch", "/api/v1/webhooks/1")):
        errors = getattr(staff, method)(path, wrong).json()["errors"]
        assert sorted(e["pointer"] for e in errors) == sorted(f"/{name}" for name in wrong)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/webhooks"), ("PATCH", "/api/v1/webhooks/1"), ("POST", "/api/v1/webhooks/1/rotate-secret")],
)
def test_each_route_has_its_bound_and_names_it(staff: APIClient, method: str, path: str) -> None:
    bounded(staff, method, path, 64 * 1024)


def test_a_description_is_one_line(staff: APIClient) -> None:
    body: dict[str, Any] = {"url": "https://93.184.216.34/hook"}
    for wrong in ("a\nb", "\x1b[31mred", "a\x7f", "\x85"):
        answer = staff.post("/api/v1/webhooks", {**body, "description": wrong})
        assert [e["pointer"] for e in answer.json()["errors"]] == ["/description"]
        with pytest.raises(Invalid):
            webhook_rules.check_description(wrong)
    assert staff.post("/api/v1/webhooks", {**body, "description": "CRM, \u00e4"}).status_code == 201


def test_no_replay_for_whom_the_route_is_closed_by_now(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]
) -> None:
    ada = register("ada@example.com", is_staff=True)
    register("boss@example.com", is_staff=True)
    client, key = client_of(ada), {"Idempotency-Key": "k1"}
    posts = {
        "/api/v1/users": {"email": "new@example.com", "name": "New"},
        "/api/v1/webhooks": {"url": "https://93.184.216.34/hook"},
    }

    def statuses(number: int) -> list[int]:
        keys = [{"Idempotency-Key": f"{number} {path}"} for path in posts]
        return [
            client.post(path, body, headers=key).status_code
            for (path, body), key in zip(posts.items(), keys, strict=True)
        ]

    assert statuses(1) == statuses(1) == [201, 201]
    User.objects.filter(id=ada.id).update(is_staff=False)
    assert statuses(1) == [201, 403], "staff no longer"
    bus.execute(UpdateUser(ada.id, is_active=False))
    assert statuses(1) == [401] * 2
    bus.execute(UpdateUser(ada.id, is_active=True))
    assert statuses(1) == [401] * 2, "the token is as dead as before"
    assert client.post("/api/v1/users", ADA, headers=key).status_code == 401


def test_answers_are_kept_encrypted_and_for_a_day(staff: APIClient) -> None:
    body = {"url": "https://93.184.216.34/hook"}
    made = staff.post("/api/v1/webhooks", body, headers={"Idempotency-Key": "k1"})
    kept = IdempotentAnswer.objects.get()
    assert "whsec_" in made.content.decode()
    assert "whsec_" not in kept.body
    assert idempotency.prune() == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_idempotentanswer SET created_at = created_at - interval '25 hours'")
    again = staff.post("/api/v1/webhooks", body, headers={"Idempotency-Key": "k1"})
    assert again.json()["id"] != made.json()["id"]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_idempotentanswer SET created_at = created_at - interval '25 hours'")
    assert idempotency.prune() == 1
