"""Logging in: tokens that end when they have to, and a limit on guessing."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.db.models.functions import Now
from django.http import HttpResponse
from django.test import override_settings
from rest_framework.test import APIClient

from apps.core.bus import Bus, bus
from apps.users.commands import LogIn, PruneSessions, SetPassword, UserSnapshot
from apps.users.models import LoginAttempts, RefreshToken, Session, User
from config.container import Container
from tests.conftest import PASSWORD
from tests.core.racing import at_once, held_open, waiting_for_a_lock
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]
TOKEN, REFRESH, ME = "/api/v1/auth/token", "/api/v1/auth/token/refresh", "/api/v1/users/me"


def log_in(client: APIClient, password: str = PASSWORD, email: str = "ada@example.com", **more: Any) -> Any:
    return client.post(TOKEN, {"email": email, "password": password}, **more)


def me(client: APIClient, access: str) -> int:
    """The status of GET /users/me with this token."""
    return int(client.get(ME, headers={"Authorization": f"Bearer {access}"}).status_code)


class TestLogin:
    """POST /auth/token."""

    def test_a_password_gives_a_pair_of_tokens(self, ada: UserSnapshot, anyone: APIClient) -> None:
        answer = log_in(anyone, email=" ADA@example.COM")
        body = answer.json()
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 1800)
        assert body.keys() == {"access", "refresh", "token_type", "expires_in"}
        assert me(anyone, body["access"]) == 200

    @pytest.mark.parametrize(
        ("email", "password"),
        [("ada@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("ada@example.com", f" {PASSWORD}")],
    )
    def test_what_is_wrong_is_not_told(self, ada: UserSnapshot, anyone: APIClient, email: str, password: str) -> None:
        answer = log_in(anyone, password, email)
        assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")
        assert answer.json()["detail"] == "The e-mail or the password is wrong."

    def test_inactive_users_and_users_without_a_password_do_not_get_in(
        self, register: Register, anyone: APIClient
    ) -> None:
        register("gone@example.com", password=PASSWORD)
        User.objects.update(is_active=False)
        register("imported@example.com")
        for email, password in (
            ("gone@example.com", PASSWORD),
            ("imported@example.com", "!"),
            ("imported@example.com", "x"),
        ):
            assert log_in(anyone, password, email).json()["code"] == "wrong_credentials"

    def test_an_unknown_email_takes_as_long_as_a_wrong_password(self, register: Register, anyone: APIClient) -> None:
        hashers = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
        with override_settings(PASSWORD_HASHERS=hashers):
            register(password=PASSWORD)

            def seconds(email: str) -> float:
                # of this process, whatever else the machine does
                start = time.process_time()
                assert log_in(anyone, "wrong", email).status_code == 401
                return time.process_time() - start

            known = min(seconds("ada@example.com") for _ in range(4))
            unknown = min(seconds("nobody@example.com") for _ in range(4))
        assert 0.5 < unknown / known < 2

    @pytest.mark.parametrize("body", [{}, {"email": "ada@example.com"}, {"email": 1, "password": []}])
    def test_an_incomplete_body_is_400(self, anyone: APIClient, body: dict[str, Any]) -> None:
        assert anyone.post(TOKEN, body).json()["code"] == "invalid"


class TestRefresh:
    """A refresh token is used once."""

    def test_it_is_traded_for_a_new_pair(self, ada: UserSnapshot, anyone: APIClient) -> None:
        first = log_in(anyone).json()
        second = anyone.post(REFRESH, {"refresh": first["refresh"]}).json()
        assert second["refresh"] != first["refresh"]
        assert me(anyone, second["access"]) == me(anyone, first["access"]) == 200
        assert Session.objects.count() == 1

    def test_a_second_use_ends_the_whole_family_and_no_other(self, ada: UserSnapshot, anyone: APIClient) -> None:
        other = log_in(anyone).json()
        first = log_in(anyone).json()
        second = anyone.post(REFRESH, {"refresh": first["refresh"]}).json()
        third = anyone.post(REFRESH, {"refresh": second["refresh"]}).json()
        stolen = anyone.post(REFRESH, {"refresh": first["refresh"]})
        assert (stolen.status_code, stolen.json()["code"]) == (401, "invalid_token")
        assert anyone.post(REFRESH, {"refresh": third["refresh"]}).status_code == 401
        assert [me(anyone, pair["access"]) for pair in (first, second, third)] == [401, 401, 401]
        assert me(anyone, other["access"]) == 200
        assert anyone.post(REFRESH, {"refresh": other["refresh"]}).status_code == 200

    def test_it_is_not_kept_as_it_is(self, ada: UserSnapshot, anyone: APIClient) -> None:
        pair = log_in(anyone).json()
        (kept,) = RefreshToken.objects.values_list("digest", flat=True)
        assert pair["refresh"] not in kept

    @pytest.mark.parametrize("wrong", ["", "x", "é" * 40, None, 5])
    def test_nonsense_is_refused(self, anyone: APIClient, wrong: Any) -> None:
        assert anyone.post(REFRESH, {"refresh": wrong}).status_code in (400, 401)

    def test_an_access_token_is_no_refresh_token(self, ada: UserSnapshot, anyone: APIClient) -> None:
        pair = log_in(anyone).json()
        assert anyone.post(REFRESH, {"refresh": pair["access"]}).json()["code"] == "invalid_token"

    def test_an_expired_session_is_over_and_pruned(self, ada: UserSnapshot, anyone: APIClient) -> None:
        pair = log_in(anyone).json()
        Session.objects.update(expires_at="2020-01-01T00:00:00Z")
        assert anyone.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 401
        assert me(anyone, pair["access"]) == 401
        assert bus.execute(PruneSessions()) > 0
        assert not RefreshToken.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_refresh_that_waits_behind_another_use_of_its_token_is_refused(ada: UserSnapshot, anyone: APIClient) -> None:
    pair = log_in(anyone).json()
    with ThreadPoolExecutor(1) as pool:
        with held_open(lambda: RefreshToken.objects.update(used_at=Now())):
            second = pool.submit(at_once, 1, lambda _: APIClient().post(REFRESH, {"refresh": pair["refresh"]}))
            wait_for(waiting_for_a_lock, "the second use waits for the first")
        (answer,) = second.result(30)
    assert isinstance(answer, HttpResponse)
    assert answer.status_code == 401
    assert me(anyone, pair["access"]) == 401


class TestEnd:
    """A login that is ended ends at once, with its access tokens."""

    def test_deactivating_and_deleting(self, ada: UserSnapshot, anyone: APIClient, staff: APIClient) -> None:
        pair = log_in(anyone).json()
        staff.patch(f"/api/v1/users/{ada.id}", {"is_active": False})
        assert me(anyone, pair["access"]) == 401
        assert anyone.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 401
        staff.patch(f"/api/v1/users/{ada.id}", {"is_active": True})
        assert me(anyone, pair["access"]) == 401, "being active again does not bring the login back"
        fresh = log_in(anyone).json()
        staff.delete(f"/api/v1/users/{ada.id}")
        assert me(anyone, fresh["access"]) == 401
        assert anyone.post(REFRESH, {"refresh": fresh["refresh"]}).status_code == 401

    def test_a_new_password(self, ada: UserSnapshot, anyone: APIClient) -> None:
        pair = log_in(anyone).json()
        bus.execute(SetPassword(ada.id, "quite another phrase"))
        assert me(anyone, pair["access"]) == 401
        assert log_in(anyone).status_code == 401
        assert log_in(anyone, "quite another phrase").status_code == 200

    @pytest.mark.parametrize(
        "path",
        [
            ME,
            "/api/v1/users",
            "/api/v1/tasks/9d9a8f3e-0000-4000-8000-000000000000",
        ],
    )
    def test_on_every_route(self, ada: UserSnapshot, anyone: APIClient, path: str) -> None:
        access = log_in(anyone).json()["access"]
        User.objects.update(is_active=False)
        answer = anyone.get(path, headers={"Authorization": f"Bearer {access}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


class TestLimit:
    """Guessing passwords is limited by address and by e-mail."""

    @pytest.fixture
    def strict(self, early_in_a_minute: None) -> Any:
        """Three failed logins a minute, in a minute that does not end during the test."""
        limited = Bus()
        Container(dataclasses.replace(settings.ENV, login_rate_limit_per_minute=3)).wire(limited)
        with bus.replaced(LogIn, limited.execute):
            yield

    def test_one_email_from_many_addresses(self, ada: UserSnapshot, anyone: APIClient, strict: None) -> None:
        statuses = [log_in(anyone, "wrong", REMOTE_ADDR=f"203.0.113.{n}").status_code for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        refused = log_in(anyone, REMOTE_ADDR="203.0.113.99")
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert 0 < int(refused.headers["Retry-After"]) <= 60

    def test_many_emails_from_one_address(self, ada: UserSnapshot, anyone: APIClient, strict: None) -> None:
        statuses = [log_in(anyone, "wrong", f"user{n}@example.com").status_code for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert log_in(anyone, REMOTE_ADDR="203.0.113.99").status_code == 200

    def test_an_address_that_is_refused_locks_nobody_out(
        self, ada: UserSnapshot, anyone: APIClient, strict: None
    ) -> None:
        for n in range(3):
            log_in(anyone, "wrong", f"user{n}@example.com")
        assert {log_in(anyone, "wrong").status_code for _ in range(11)} == {429}
        assert log_in(anyone, REMOTE_ADDR="203.0.113.99").status_code == 200

    def test_those_who_know_their_password_are_not_counted(
        self, ada: UserSnapshot, anyone: APIClient, strict: None
    ) -> None:
        assert {log_in(anyone).status_code for _ in range(8)} == {200}

    def test_a_wiped_cache_does_not_forget_and_the_next_minute_does(
        self, ada: UserSnapshot, anyone: APIClient, strict: None, valkey: Any
    ) -> None:
        for _ in range(4):
            log_in(anyone, "wrong")
        valkey.flushdb()
        assert log_in(anyone).status_code == 429
        LoginAttempts.objects.update(minute="2020-01-01T00:00:00Z")
        assert log_in(anyone).status_code == 200

    @pytest.mark.django_db(transaction=True)
    def test_racing_log_ins_of_crossing_addresses_and_emails_wait_for_each_other_in_order(
        self, ada: UserSnapshot, register: Register
    ) -> None:
        register("eve@example.com", password=PASSWORD)

        def log_in_often(number: int) -> set[int]:
            def once(turn: int) -> int:
                where = {"REMOTE_ADDR": f"203.0.113.{(number + turn) % 2}", "email": ("ada", "eve")[number // 2 % 2]}
                where["email"] += "@example.com"
                key = {"Idempotency-Key": f"{number} {turn}"} if number % 3 else {}
                return int(log_in(APIClient(), headers=key, **where).status_code)

            return {once(turn) for turn in range(40)}

        # as many as the pool has connections for, beside the test's own
        assert at_once(4, log_in_often) == [{200}] * 4
        assert set(LoginAttempts.objects.values_list("count", flat=True)) == {0}

    @pytest.mark.django_db(transaction=True)
    def test_racing_guesses_do_not_slip_through(self, ada: UserSnapshot, strict: None) -> None:
        statuses = at_once(8, lambda _: log_in(APIClient(), "wrong").status_code)
        assert sorted(map(str, statuses)) == ["401"] * 3 + ["429"] * 5
