"""Two tabs that share a log-in, and refresh it at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.users.commands import LogIn, TokenPair, UserSnapshot
from tests.conftest import PASSWORD
from tests.core.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pair(register: Callable[..., UserSnapshot]) -> TokenPair:
    """The tokens of the log-in that both tabs know."""
    register("ada@example.com", password=PASSWORD)
    return bus.execute(LogIn(email="ada@example.com", password=PASSWORD, address="192.0.2.1"))


def refresh(token: str, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return APIClient().post("/api/v1/auth/token/refresh", {"refresh": token}, headers=headers)


def test_with_a_key_that_they_share_both_get_the_same_new_pair(pair: TokenPair) -> None:
    def tab(_: int) -> Any:
        answer = refresh(pair.refresh, "shared")
        while answer.status_code == 409:
            assert (answer.json()["code"], answer["Retry-After"]) == ("idempotency_in_flight", "1")
            answer = refresh(pair.refresh, "shared")
        return answer

    answers: list[Any] = at_once(2, tab)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert sorted("Idempotency-Replayed" in answer for answer in answers) == [False, True]
    assert refresh(answers[0].json()["refresh"]).status_code == 200, "the log-in goes on"


def test_without_one_the_second_use_ends_the_log_in(pair: TokenPair) -> None:
    answers: list[Any] = at_once(2, lambda _: refresh(pair.refresh))
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    (new,) = (answer.json()["refresh"] for answer in answers if answer.status_code == 200)
    assert refresh(new).status_code == 401
