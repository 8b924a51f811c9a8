"""A registration with a token: whoever may not call is told that and nothing else, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.models import IdempotentAnswer
from apps.events.models import OutboxEvent
from apps.users.commands import UpdateUser, UserSnapshot
from apps.users.models import Session, User
from apps.users.queries import GetCaller

pytestmark = pytest.mark.django_db(transaction=True)
USERS = "/api/v1/users"
NEW = {"email": "new@example.com", "name": "New"}
PASSWORD = "correct horse battery staple"
Register = Callable[..., UserSnapshot]
ClientOf = Callable[[UserSnapshot | None], APIClient]


@pytest.fixture
def deactivated(register: Register, client_of: ClientOf) -> APIClient:
    """A client with a token of a user who is no longer active."""
    ada = register("ada@example.com")
    client = client_of(ada)
    bus.execute(UpdateUser(ada.id, is_active=False))
    return client


def refused(answer: Any) -> bool:
    """Whether `answer` is the refusal of the caller."""
    told = (answer.status_code, answer.json()["code"], answer.headers["WWW-Authenticate"])
    return told == (401, "not_authenticated", 'Bearer realm="api"')


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}, {"Idempotency-Key": ""}], ids=str)
@pytest.mark.parametrize(
    "body", [NEW, NEW | {"email": "ada@example.com"}, {"email": "x"}], ids=["fine", "taken", "invalid"]
)
def test_the_refusal_comes_before_any_other(deactivated: APIClient, headers: dict[str, str], body: Any) -> None:
    before = OutboxEvent.objects.count()
    assert refused(deactivated.post(USERS, body, headers=headers))
    assert User.objects.count() == 1
    assert OutboxEvent.objects.count() == before
    assert not IdempotentAnswer.objects.exists()


def test_whoever_has_logged_out_is_refused_too(anyone: APIClient, register: Register) -> None:
    register("ada@example.com", password=PASSWORD)
    pair = anyone.post("/api/v1/auth/token", {"email": "ada@example.com", "password": PASSWORD}).json()
    anyone.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    assert anyone.post(USERS, NEW).status_code == 201
    Session.objects.all().delete()
    assert refused(anyone.post(USERS, NEW | {"email": "other@example.com"}))


def test_no_error_of_an_active_caller_is_hidden(staff: APIClient) -> None:
    assert staff.post(USERS, {"email": "x"}).status_code == 400
    assert [staff.post(USERS, NEW).status_code for _ in range(2)] == [201, 409]


def test_if_the_check_finds_no_database_that_is_the_answer(staff: APIClient) -> None:
    def away(_: GetCaller) -> Any:
        raise OperationalError("the connection is lost")

    with bus.replaced(GetCaller, away):
        assert staff.post(USERS, {"email": "x"}).status_code == 503
