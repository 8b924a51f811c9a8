from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from rest_framework.test import APIClient

from apps.core.api import idempotency
from apps.core.bus import Command, bus
from apps.core.models import IdempotentAnswer
from apps.users.commands import DeleteUser, RegisterUser, SetPassword, UpdateUser, UserSnapshot
from apps.users.models import User
from config.urls import api
from tests import loopback
from tests.core.racing import held_open, waiting_for_a_lock
from tests.processes import Processes
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
ADA = {"email": "ada@example.com", "name": "Ada"}


def test_a_repeat_gets_the_first_answer_to_the_byte(anyone: APIClient) -> None:
    first = anyone.post("/api/v1/users", ADA, headers={"Idempotency-Key": "k1"})
    again = anyone.post("/api/v1/users", ADA, headers={"Idempotency-Key": '"k1"'})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert [again[name] for name in ("Location", "ETag")] == [first[name] for name in ("Location", "ETag")]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert User.objects.filter(email=ADA["email"]).count() == 1


def test_another_request_under_the_same_key_is_refused(anyone: APIClient) -> None:
    anyone.post("/api/v1/users", ADA, headers={"Idempotency-Key": "k1"})
    for path, body in (("/api/v1/users", {**ADA, "name": "Eve"}), ("/api/v2/users", ADA)):
        answer = anyone.post(path, body, headers={"Idempotency-Key": "k1"})
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_key_belongs_to_its_caller(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]
) -> None:
    made = set()
    for name in ("one", "two"):
        client = client_of(register(f"{name}@example.com"))
        for _ in range(2):
            friend = {"email": f"friend-of-{name}@example.com", "name": "Friend"}
            made.add(client.post("/api/v1/users", friend, headers={"Idempotency-Key": "k1"}).json()["id"])
    assert len(made) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tin it", "ünïcode"])
def test_what_is_no_key_is_refused(anyone: APIClient, key: str) -> None:
    answer = anyone.post("/api/v1/users", ADA, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert not User.objects.exists()


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


def test_a_refusal_is_not_kept(anyone: APIClient) -> None:
    key = {"Idempotency-Key": "k1"}
    assert anyone.post("/api/v1/users", {"email": "x"}, headers=key).status_code == 400
    assert anyone.post("/api/v1/users", ADA, headers=key).status_code == 201


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


def test_an_answer_is_kept_encrypted_and_for_a_day(anyone: APIClient) -> None:
    key = {"Idempotency-Key": "k1"}
    assert ADA["email"] in anyone.post("/api/v1/users", ADA, headers=key).content.decode()
    assert ADA["email"] not in IdempotentAnswer.objects.get().body
    assert idempotency.prune() == 0
    IdempotentAnswer.objects.update(created_at=Now() - timedelta(hours=25))
    assert anyone.post("/api/v1/users", ADA, headers=key).json()["code"] == "email_taken", "it is done once more"
    assert idempotency.prune() == 1


def test_72_racing_repeats_run_once(processes: Processes) -> None:
    web = processes.web()

    def post(_: int) -> httpx.Response:
        return loopback.post(f"{web.url}/api/v1/users", json=ADA, headers={"Idempotency-Key": "race"})

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(post, range(72)))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409}, statuses
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert all(answer.json()["code"] == "idempotency_in_flight" for answer in answers if answer.status_code == 409)
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers if answer.status_code == 201) == 1
    assert User.objects.count() == 1


def test_a_server_that_is_killed_in_the_middle_leaves_the_key_free(processes: Processes) -> None:
    web = processes.web()

    def post(url: str) -> httpx.Response:
        return loopback.post(f"{url}/api/v1/users", json=ADA, headers={"Idempotency-Key": "killed"})

    def rival() -> None:
        # the unique index makes the request wait until this is committed or undone
        User.objects.create(email=ADA["email"], name="Rival")
        transaction.set_rollback(True)

    with ThreadPoolExecutor(1) as pool, held_open(rival):
        first = pool.submit(post, web.url)
        wait_for(waiting_for_a_lock, "the request waits in its transaction")
        web.kill()
        assert isinstance(first.exception(30), httpx.TransportError)
    again = post(processes.web().url)
    assert again.status_code == 201
    assert "Idempotency-Replayed" not in again.headers
    assert User.objects.count() == 1


def test_a_failure_of_the_service_may_be_tried_again(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]
) -> None:
    def broken(command: RegisterUser) -> UserSnapshot:
        raise RuntimeError

    client = client_of(register("caller@example.com"))
    client.raise_request_exception = False
    with bus.replaced(RegisterUser, broken):
        assert client.post("/api/v1/users", ADA, headers={"Idempotency-Key": "k1"}).status_code == 500
    again = client.post("/api/v1/users", ADA, headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (201, None)


def test_every_post_of_the_api_runs_once_a_key() -> None:
    """Each `post` has the decorator; without it, every repeat would run again."""
    views: set[Any] = {getattr(pattern.callback, "cls", None) for pattern in api}
    posts = [view for view in views if hasattr(view, "post")]
    assert len(posts) >= 9
    assert [view.__name__ for view in posts if not getattr(view.post, "runs_once", False)] == []
