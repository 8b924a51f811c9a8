"""Attacks of a hostile client on accounts that once worked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.users.commands import IssueToken, UpdateUser, UserSnapshot

pytestmark = pytest.mark.django_db


def test_an_operator_s_token_does_not_come_back_with_its_user(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]
) -> None:
    user = register()
    client = client_of(user)
    assert client.get("/api/v1/users/me").status_code == 200
    for is_active in (False, True):
        bus.execute(UpdateUser(user.id, is_active=is_active))
        assert client.get("/api/v1/users/me").status_code == 401
    assert bus.execute(IssueToken(user.email))


def test_the_token_of_whoever_is_gone_is_no_use_where_none_is_needed(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]
) -> None:
    user = register()
    client = client_of(user)
    assert client.post("/api/v1/users", {"email": "one@example.com", "name": "One"}).status_code == 201
    bus.execute(UpdateUser(user.id, is_active=False))
    assert client.post("/api/v1/users", {"email": "two@example.com", "name": "Two"}).status_code == 401


@pytest.mark.parametrize(
    "email", ["\u017fam@example.com", "\u212aat@example.com", "a@ex\u00e4mple.com", "a@example\u3002com"]
)
def test_one_mailbox_has_one_spelling(anyone: APIClient, email: str) -> None:
    answer = anyone.post("/api/v1/users", {"email": email, "name": "New"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/email")
