"""A POST that is repeated under its key runs once and is answered the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db import transaction
from django.db.models.functions import Now
from rest_framework.test import APIClient

from apps.core.api import idempotency
from apps.core.models import IdempotentAnswer
from tests import loopback
from tests.core.racing import held_open, waiting_for_a_lock
from tests.processes import Processes
from tests.things.commands import MakeThing, Row
from tests.things.models import Thing
from tests.things.services import bus
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db
NEW = {"name": "New", "note": "of the answer"}


def test_a_repeat_gets_the_first_answer_to_the_byte(anyone: APIClient) -> None:
    first = anyone.post("/api/v1/things", NEW, headers={"Idempotency-Key": "k1"})
    again = anyone.post("/api/v1/things", NEW, headers={"Idempotency-Key": '"k1"'})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert [again[name] for name in ("Location", "ETag")] == [first[name] for name in ("Location", "ETag")]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert Thing.objects.filter(name=NEW["name"]).count() == 1


def test_another_request_under_the_same_key_is_refused(anyone: APIClient) -> None:
    anyone.post("/api/v1/things", NEW, headers={"Idempotency-Key": "k1"})
    for path, body in (("/api/v1/things", {**NEW, "note": "another"}), ("/api/v2/things", NEW)):
        answer = anyone.post(path, body, headers={"Idempotency-Key": "k1"})
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_key_belongs_to_its_caller(register: Callable[..., Any], client_of: Callable[..., APIClient]) -> None:
    made = set()
    for name in ("one", "two"):
        client = client_of(register(f"{name}@example.com"))
        for _ in range(2):
            own = {"name": f"of {name}"}
            made.add(client.post("/api/v1/things", own, headers={"Idempotency-Key": "k1"}).json()["id"])
    assert len(made) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tin it", "ünïcode"])
def test_what_is_no_key_is_refused(anyone: APIClient, key: str) -> None:
    answer = anyone.post("/api/v1/things", NEW, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert not Thing.objects.exists()


def test_a_refusal_is_not_kept(anyone: APIClient) -> None:
    key = {"Idempotency-Key": "k1"}
    assert anyone.post("/api/v1/things", {"nmae": "x"}, headers=key).status_code == 400
    assert anyone.post("/api/v1/things", NEW, headers=key).status_code == 201


def test_an_answer_is_kept_encrypted_and_for_a_day(anyone: APIClient) -> None:
    key = {"Idempotency-Key": "k1"}
    assert NEW["note"] in anyone.post("/api/v1/things", NEW, headers=key).content.decode()
    assert NEW["note"] not in IdempotentAnswer.objects.get().body
    assert idempotency.prune() == 0
    IdempotentAnswer.objects.update(created_at=Now() - timedelta(hours=25))
    assert anyone.post("/api/v1/things", NEW, headers=key).json()["code"] == "name_taken", "it is done once more"
    assert idempotency.prune() == 1


def test_72_racing_repeats_run_once(processes: Processes) -> None:
    web = processes.web()

    def post(_: int) -> httpx.Response:
        return loopback.post(f"{web.url}/api/v1/things", json=NEW, headers={"Idempotency-Key": "race"})

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(post, range(72)))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409}, statuses
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert all(answer.json()["code"] == "idempotency_in_flight" for answer in answers if answer.status_code == 409)
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers if answer.status_code == 201) == 1
    assert Thing.objects.count() == 1


def test_a_server_that_is_killed_in_the_middle_leaves_the_key_free(processes: Processes) -> None:
    web = processes.web()

    def post(url: str) -> httpx.Response:
        return loopback.post(f"{url}/api/v1/things", json=NEW, headers={"Idempotency-Key": "killed"})

    def rival() -> None:
        # the unique index makes the request wait until this is committed or undone
        Thing.objects.create(name=NEW["name"])
        transaction.set_rollback(True)

    with ThreadPoolExecutor(1) as pool, held_open(rival):
        first = pool.submit(post, web.url)
        wait_for(waiting_for_a_lock, "the request waits in its transaction")
        web.kill()
        assert isinstance(first.exception(30), httpx.TransportError)
    again = post(processes.web().url)
    assert again.status_code == 201
    assert "Idempotency-Replayed" not in again.headers
    assert Thing.objects.count() == 1


def test_a_failure_of_the_service_may_be_tried_again(
    register: Callable[..., Any], client_of: Callable[..., APIClient]
) -> None:
    def broken(command: MakeThing) -> Row:
        raise RuntimeError

    client = client_of(register("caller@example.com"))
    client.raise_request_exception = False
    with bus.replaced(MakeThing, broken):
        assert client.post("/api/v1/things", NEW, headers={"Idempotency-Key": "k1"}).status_code == 500
    again = client.post("/api/v1/things", NEW, headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (201, None)
