"""Tokens that nobody here signed, or that no longer hold, open nothing."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt
import pytest
from django.conf import settings
from rest_framework.test import APIClient

from apps.users.commands import UserSnapshot
from apps.users.errors import InvalidToken
from apps.users.tokens import LEEWAY_SECONDS, AccessTokens
from tests.users.test_tokens import ME, me

pytestmark = pytest.mark.django_db


def signed(user: UserSnapshot, key: str | bytes = settings.SECRET_KEY, algorithm: str = "HS256", **claims: Any) -> str:
    now = int(time.time())
    good = {"sub": str(user.id), "type": "access", "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex}
    return jwt.encode({k: v for k, v in {**good, **claims}.items() if v is not None}, key, algorithm)


class TestForgery:
    """Only what this service signed, for this use, and for now, is a token."""

    def test_a_genuine_one_of_the_same_making_is_accepted(self, ada: UserSnapshot, anyone: APIClient) -> None:
        assert me(anyone, signed(ada)) == 200

    @pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
    @pytest.mark.parametrize(
        "changes",
        [
            {"key": "another key of sufficient length, thirty-two"},
            {"algorithm": "HS512"},
            {"type": "refresh"},
            {"type": None},
            {"exp": 1},
            {"exp": None},
            {"exp": "soon"},
            {"iat": None},
            {"sub": None},
            {"sub": "one"},
            {"sub": "1e3"},
            {"sub": str(10**30)},
            {"sid": "no uuid"},
            {"sid": "9d9a8f3e-0000-4000-8000-000000000000"},
            {"nbf": 2**33},
        ],
        ids=str,
    )
    def test_anything_else_is_401(self, ada: UserSnapshot, anyone: APIClient, changes: dict[str, Any]) -> None:
        assert me(anyone, signed(ada, **changes)) == 401

    @pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"exp": 1}, "has expired"),
            ({"iat": 60}, "is not valid yet"),
            ({"nbf": 60}, "is not valid yet"),
            ({"key": "another key of sufficient length, thirty-two"}, "signature is not one of this service"),
            ({"algorithm": "HS512"}, "another algorithm"),
            ({"type": "refresh"}, "not an access token"),
            ({"exp": None}, "lacks a claim"),
            ({"exp": "soon"}, "is malformed"),
            ({"iat": "soon"}, "iat is no time"),
            ({"sub": "one"}, "names no user"),
        ],
        ids=str,
    )
    def test_the_reason_told_is_the_true_one(
        self, ada: UserSnapshot, anyone: APIClient, changes: dict[str, Any], reason: str
    ) -> None:
        now = int(time.time())
        ahead = {name: now + value for name, value in changes.items() if name in ("iat", "nbf") and value == 60}
        answer = anyone.get(ME, headers={"Authorization": f"Bearer {signed(ada, **changes | ahead)}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        assert reason in answer.json()["detail"]
        malformed = anyone.get(ME, headers={"Authorization": "Bearer nonsense"}).json()["detail"]
        assert malformed == "The token is malformed."

    def test_a_clock_may_be_some_seconds_ahead_and_no_token_lives_longer_for_it(self, ada: UserSnapshot) -> None:
        tokens = AccessTokens(settings.ENV.secret_key, "HS256", 60)
        now = int(time.time())
        ahead = signed(ada, iat=now + LEEWAY_SECONDS - 2, nbf=now + LEEWAY_SECONDS - 2)
        for _ in range(2):  # decoded, and from the cache
            assert tokens.read(ahead).user_id == ada.id
        for _ in range(2):
            with pytest.raises(InvalidToken, match="has expired"):
                tokens.read(signed(ada, exp=now - 1))
            with pytest.raises(InvalidToken, match="not valid yet"):
                tokens.read(signed(ada, iat=now + LEEWAY_SECONDS + 5))

    def test_an_unsigned_one_is_401(self, ada: UserSnapshot, anyone: APIClient) -> None:
        header, payload, _ = signed(ada, key="", algorithm="none").split(".")
        for token in (f"{header}.{payload}.", f"{header}.{payload}", f"{header}.{payload}.{'x' * 43}"):
            assert me(anyone, token) == 401

    @pytest.mark.parametrize(
        "header", ["Bearer", "Bearer ", "Bearer a b", "Bearer é", "Basic YTpi", "Token x", "Bearer ..", "x" * 9000]
    )
    def test_nonsense_in_the_header_is_401(self, anyone: APIClient, header: str) -> None:
        answer = anyone.get(ME, headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_a_token_ends_with_its_time_though_it_was_read_before(
        self, ada: UserSnapshot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tokens = AccessTokens("k" * 32, "HS256", 60)
        token = tokens.issue(ada.id)
        assert tokens.read(token).user_id == ada.id
        later = time.time() + 61
        monkeypatch.setattr("apps.users.tokens.time.time", lambda: later)
        with pytest.raises(InvalidToken, match="expired"):
            tokens.read(token)
