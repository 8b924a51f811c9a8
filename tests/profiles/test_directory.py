"""The people directory answers the same each time, and fails in the way it was told to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from config.stack.people import PeopleDirectory
from tests import loopback

KEY = "a key"


@pytest.fixture
def people() -> Iterator[PeopleDirectory]:
    with PeopleDirectory(KEY) as server:
        yield server


@pytest.fixture
def client(people: PeopleDirectory) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {KEY}"}
    with loopback.client(base_url=people.url, headers=headers, timeout=5) as client:
        yield client


def ask(client: httpx.Client, email: str = "ada.lovelace@example.com", **more: Any) -> httpx.Response:
    return client.get("/people", params={"email": email}, **more)


def test_the_answer_follows_from_the_address(client: httpx.Client) -> None:
    first, again = ask(client), ask(client, "Ada.Lovelace@EXAMPLE.com")
    assert first.status_code == 200
    assert first.json() == again.json()
    assert first.json()["display_name"] == "Ada Lovelace"
    assert first.json()["company"] == "Example"
    assert client.get(first.json()["avatar_url"]).headers["Content-Type"] == "image/svg+xml"


@pytest.mark.parametrize("key", ["", "Bearer wrong", KEY])
def test_without_the_key_nobody_is_told_anything(client: httpx.Client, key: str) -> None:
    assert ask(client, headers={"Authorization": key}).status_code == 401


@pytest.mark.parametrize(("email", "status"), [("unknown-7@example.com", 404), ("nonsense", 404), ("", 400)])
def test_who_is_not_there(client: httpx.Client, email: str, status: int) -> None:
    assert ask(client, email).status_code == status


def test_it_fails_so_many_times_and_is_well_again(client: httpx.Client) -> None:
    told = client.put("/control", json={"status": 503, "times": 2, "retry_after": 5})
    assert told.json() == {"status": 503, "delay": 0.0, "times": 2, "retry_after": 5, "garbage": False, "served": 0}
    answers = [ask(client) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "5"
    assert client.get("/control").json() == {
        "status": None,
        "delay": 0.0,
        "times": None,
        "retry_after": None,
        "garbage": False,
        "served": 3,
    }


def test_it_is_slow_until_told_otherwise(client: httpx.Client, people: PeopleDirectory) -> None:
    people.control(delay=0.3)
    begun = time.monotonic()
    assert ask(client).status_code == 200
    assert time.monotonic() - begun >= 0.3
    assert client.put("/control", content=b"").status_code == 200
    assert client.get("/control").json()["delay"] == 0


def test_garbage_is_no_json(client: httpx.Client, people: PeopleDirectory) -> None:
    people.control(garbage=True)
    answer = ask(client)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated string"):
        answer.json()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not JSON"),
        (b"[]", "a JSON object"),
        (b'{"speed": 1}', "speed is unknown; known are status"),
        (b'{"status": 99}', "status must be"),
        (b'{"status": true}', "status must be"),
        (b'{"delay": -1}', "delay must be"),
        (b'{"delay": "2"}', "delay must be"),
        (b'{"times": 0}', "times must be"),
        (b'{"retry_after": 1.5}', "retry_after must be"),
        (b'{"garbage": 1}', "garbage must be"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(client: httpx.Client, body: bytes, message: str) -> None:
    answer = client.put("/control", content=body)
    assert answer.status_code == 400
    assert message in answer.json()["detail"]
    assert ask(client).status_code == 200


def test_the_people_directory_is_controlled_with_its_key_alone() -> None:
    with PeopleDirectory("key") as people, loopback.client(base_url=people.url) as client:
        people.control(status=503, times=1)
        assert client.put("/control", json={}).status_code == 401
        assert client.get("/control").status_code == 401
        assert client.get("/people", params={"email": "ada@example.com"}).status_code == 401
        assert people.state()["status"] == 503, "nobody else uses the failure up"
