"""Keys for a repeat, on routes that give out tokens: what is kept ends with whatever let the caller in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from apps.core.bus import Command, bus
from apps.core.models import IdempotentAnswer
from apps.users.commands import DeleteUser, SetPassword, UpdateUser, UserSnapshot
from apps.users.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
ADA = {"email": "ada@example.com", "name": "Ada"}


def test_a_lost_answer_with_tokens_can_be_had_again(anyone: APIClient, register: Callable[..., UserSnapshot]) -> None:
    register("ada@example.com", password=PASSWORD)
    login = {"email": "ada@example.com", "password": PASSWORD}
    first, again = (anyone.post("/api/v1/auth/token", login, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert again.content == first.content
    refresh = {"refresh": first.json()["refresh"]}
    second, third = (
        anyone.post("/api/v1/auth/token/refresh", refresh, headers={"Idempotency-Key": "k2"}) for _ in range(2)
    )
    assert (second.status_code, third.content) == (200, second.content)
    stolen = anyone.post("/api/v1/auth/token/refresh", refresh, headers={"Idempotency-Key": "k3"})
    assert stolen.status_code == 401
    dead = anyone.post("/api/v1/auth/token/refresh", {"refresh": second.json()["refresh"]})
    assert dead.status_code == 401, "the refusal has ended the session, though nothing of it is kept under the key"


@pytest.mark.usefixtures("early_in_a_minute")
def test_failed_logins_count_with_a_key_too(anyone: APIClient, register: Callable[..., UserSnapshot]) -> None:
    register("ada@example.com", password=PASSWORD)
    wrong = {"email": "ada@example.com", "password": "wrong"}
    limit = settings.ENV.login_rate_limit_per_minute
    statuses = [
        anyone.post("/api/v1/auth/token", wrong, headers={"Idempotency-Key": f"k{n}"}).status_code
        for n in range(limit + 1)
    ]
    assert statuses == [401] * limit + [429]


@pytest.mark.parametrize(
    "end",
    [lambda key: SetPassword(key, "quite another phrase"), lambda key: UpdateUser(key, is_active=False), DeleteUser],
    ids=["password", "deactivation", "deletion"],
)
def test_a_kept_log_in_ends_with_what_let_it_in(
    end: Callable[[int], Command[Any]], anyone: APIClient, register: Callable[..., UserSnapshot]
) -> None:
    ada = register("ada@example.com", password=PASSWORD)
    login = {"email": "ada@example.com", "password": PASSWORD}
    first = anyone.post("/api/v1/auth/token", login, headers={"Idempotency-Key": "k1"})
    refresh = {"refresh": first.json()["refresh"]}
    assert anyone.post("/api/v1/auth/token/refresh", refresh, headers={"Idempotency-Key": "k2"}).status_code == 200
    bus.execute(end(ada.id))
    assert anyone.post("/api/v1/auth/token", login, headers={"Idempotency-Key": "k1"}).status_code == 401
    assert anyone.post("/api/v1/auth/token/refresh", refresh, headers={"Idempotency-Key": "k2"}).status_code == 401


def test_of_a_deleted_person_no_answer_is_left(
    anyone: APIClient, staff: APIClient, client_of: Callable[..., APIClient]
) -> None:
    key = {"Idempotency-Key": "k1"}
    for by, email in ((anyone, "one@example.com"), (staff, "two@example.com")):
        made = by.post("/api/v1/users", ADA | {"email": email}, headers=key).json()
        own = client_of(User.objects.get(id=made["id"]))
        assert own.post("/api/v1/users", ADA | {"email": f"friend-{email}"}, headers=key).status_code == 201
        assert IdempotentAnswer.objects.count() == 2
        assert staff.delete(f"/api/v1/users/{made['id']}").status_code == 204
        assert not IdempotentAnswer.objects.exists()
        assert "Idempotency-Replayed" not in by.post("/api/v1/users", ADA | {"email": email}, headers=key)
        IdempotentAnswer.objects.all().delete()
