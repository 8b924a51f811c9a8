"""What is made for a user while they are changed does not outlive a new password, a deactivation or a deletion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session as DjangoSession
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import Command, bus
from apps.core.errors import NotFound
from apps.core.models import IdempotentAnswer
from apps.users.commands import DeleteUser, IssueToken, LogIn, RegisterUser, SetPassword, UpdateUser, UserSnapshot
from apps.users.models import RefreshToken, Session, User
from tests.conftest import PASSWORD
from tests.core.racing import at_once, overtaken

pytestmark = pytest.mark.django_db(transaction=True)
Change = Callable[[int], Command[Any]]
EMAIL, NEW, ROUNDS = "ada@example.com", "quite another pass phrase", 25
CREDENTIALS = {"email": EMAIL, "password": PASSWORD}
KEY = {"Idempotency-Key": "k1"}


def new_password(user_id: int) -> Command[Any]:
    return SetPassword(user_id, NEW)


def deactivation(user_id: int) -> Command[Any]:
    return UpdateUser(user_id, is_active=False)


ENDS: list[Change] = [new_password, deactivation, DeleteUser]


@pytest.fixture
def ada(transactional_db: None) -> UserSnapshot:
    """A staff user, besides another one who stays."""
    bus.execute(RegisterUser("boss@example.com", "Boss", is_staff=True))
    return bus.execute(RegisterUser(EMAIL, "Ada", PASSWORD, is_staff=True))


def log_in(**more: Any) -> Any:
    return APIClient().post("/api/v1/auth/token", CREDENTIALS, **more)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("headers", [{}, KEY], ids=["", "keyed"])
def test_a_log_in_with_what_has_ended_is_refused(ada: UserSnapshot, end: Change, headers: dict[str, str]) -> None:
    answer = overtaken(end(ada.id), lambda: log_in(headers=headers))
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")
    assert not Session.objects.filter(revoked_at=None).exists()
    assert not IdempotentAnswer.objects.exists()


@pytest.mark.parametrize("end", ENDS)
def test_a_refresh_is_refused(ada: UserSnapshot, end: Change) -> None:
    refresh = {"refresh": log_in().json()["refresh"]}
    answer = overtaken(end(ada.id), lambda: APIClient().post("/api/v1/auth/token/refresh", refresh))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert not Session.objects.filter(revoked_at=None).exists()
    assert RefreshToken.objects.count() <= 1


@pytest.mark.parametrize("end", ENDS)
def test_the_admin_lets_nobody_in(ada: UserSnapshot, end: Change) -> None:
    browser = Client()
    form = {"username": EMAIL, "password": PASSWORD, "next": "/admin/"}
    answer = overtaken(end(ada.id), lambda: browser.post("/admin/login/", form))
    assert answer.status_code == 200
    assert "correct" in " ".join(answer.context["form"].non_field_errors())
    assert browser.get("/admin/").status_code == 302
    assert not DjangoSession.objects.exists()


@pytest.mark.parametrize("end", [deactivation, DeleteUser])
def test_no_token_is_issued(ada: UserSnapshot, end: Change) -> None:
    assert isinstance(overtaken(end(ada.id), lambda: bus.execute(IssueToken(EMAIL))), NotFound)
    assert not Session.objects.filter(revoked_at=None).exists()


@pytest.mark.parametrize(
    "make",
    [
        lambda user_id: LogIn(EMAIL, "192.0.2.1", PASSWORD),
        lambda user_id: IssueToken(EMAIL),
    ],
    ids=["log-in", "token"],
)
def test_a_deletion_waits_for_what_is_being_made_and_takes_it_along(ada: UserSnapshot, make: Change) -> None:
    """Begun before the deletion, committed while that is under way."""
    assert overtaken(make(ada.id), lambda: bus.execute(DeleteUser(ada.id))) is None
    assert not User.objects.filter(id=ada.id).exists()
    assert not Session.objects.exists()


@pytest.mark.parametrize("end", ENDS)
def test_in_any_order_nothing_survives_and_nothing_breaks(ada: UserSnapshot, end: Change) -> None:
    user_id = ada.id
    for _ in range(ROUNDS):
        refresh = {"refresh": log_in().json()["refresh"]}
        racers: list[Callable[[], Any]] = [
            lambda user_id=user_id: bus.execute(end(user_id)),  # type: ignore[misc] # bound now, before the next round
            log_in,
            lambda refresh=refresh: APIClient().post("/api/v1/auth/token/refresh", refresh),  # type: ignore[misc] # as above
        ]
        outcomes = at_once(3, lambda n, racers=racers: racers[n]())  # type: ignore[misc] # as above
        assert not [one for one in outcomes if isinstance(one, Exception)]
        assert {one.status_code for one in outcomes[1:]} <= {200, 401}  # type: ignore[union-attr] # answers
        assert not Session.objects.filter(revoked_at=None).exists()
        User.objects.filter(id=user_id).delete()
        user_id = bus.execute(RegisterUser(EMAIL, "Ada", PASSWORD)).id
