"""What is made for a user while they are changed does not outlive a new password, a deactivation or a deletion."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.sessions.models import Session as DjangoSession
from django.http import HttpResponse
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import Command, bus
from apps.core.errors import NotFound
from apps.core.models import IdempotentAnswer
from apps.jobs.commands import SubmitJob
from apps.jobs.models import Job
from apps.users.commands import DeleteUser, IssueToken, LogIn, RegisterUser, SetPassword, UpdateUser, UserSnapshot
from apps.users.models import RefreshToken, Session, User
from tests.conftest import PASSWORD
from tests.core.racing import at_once, held_open, waiting_for_a_lock
from tests.waiting import wait_for

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


def overtaken(change: Command[Any], work: Callable[[], Any]) -> Any:
    """What `work` returns or raises when `change` is under way as it begins, and is committed before it ends."""
    with ThreadPoolExecutor(1) as pool:
        with held_open(lambda: bus.execute(change)):
            answer = pool.submit(at_once, 1, lambda _: work())
            wait_for(waiting_for_a_lock, "it waits for the change")
        return answer.result(30)[0]


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


@pytest.mark.parametrize("headers", [{}, KEY], ids=["", "keyed"])
@pytest.mark.parametrize("path", ["process", "users/import"])
def test_work_for_somebody_who_is_deleted_is_refused(ada: UserSnapshot, path: str, headers: dict[str, str]) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {bus.execute(IssueToken(EMAIL))}")
    bodies: dict[str, tuple[Any, str]] = {
        "process": ('{"rows": []}', "application/json"),
        "users/import": ("email,name\nx@example.com,X\n", "text/csv"),
    }
    body, kind = bodies[path]
    answer = overtaken(
        DeleteUser(ada.id), lambda: client.generic("POST", f"/api/v1/{path}", body, content_type=kind, headers=headers)
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "gone")
    assert not Job.objects.exists()
    assert not IdempotentAnswer.objects.exists()


def test_in_the_admin_too(ada: UserSnapshot) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    browser = Client()
    assert browser.login(username=EMAIL, password=PASSWORD)
    form = {"file": SimpleUploadedFile("people.csv", b"email,name\nx@example.com,X\n")}
    answer = overtaken(DeleteUser(ada.id), lambda: browser.post("/admin/users/user/import/", form))
    assert answer.status_code == 409
    assert "deleted meanwhile" in answer.content.decode()


@pytest.mark.parametrize(
    "make",
    [
        lambda user_id: LogIn(EMAIL, "192.0.2.1", PASSWORD),
        lambda user_id: IssueToken(EMAIL),
        lambda user_id: SubmitJob("process", user_id, {}),
    ],
    ids=["log-in", "token", "job"],
)
def test_a_deletion_waits_for_what_is_being_made_and_takes_it_along(ada: UserSnapshot, make: Change) -> None:
    """Begun before the deletion, committed while that is under way."""
    overtaking = make(ada.id)
    if isinstance(overtaking, SubmitJob):
        # its foreign key is checked when it commits, so the deletion comes first here
        job = overtaken(DeleteUser(ada.id), lambda: bus.execute(overtaking))
        assert not isinstance(job, HttpResponse)
    else:
        assert overtaken(overtaking, lambda: bus.execute(DeleteUser(ada.id))) is None
    assert not User.objects.filter(id=ada.id).exists()
    assert not Session.objects.exists()
    assert not Job.objects.exists()


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
