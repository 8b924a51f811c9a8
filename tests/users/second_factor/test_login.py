"""A log-in needs the password and a code, each code once, and nothing tells who has one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.users import second_factor
from apps.users.commands import SetPassword, UserSnapshot
from apps.users.models import LoginAttempts, RecoveryCode, SecondFactor
from apps.users.queries import FindUser
from tests.conftest import PASSWORD
from tests.users.codes import CONFIRM, TOTP, code_of, enrol, forget_steps
from tests.users.second_factor.logins import REFRESH, code, log_in, logged_in

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


class TestLogin:
    """POST /auth/token with a second factor."""

    @pytest.fixture
    def secret(self, client: APIClient) -> str:
        return enrol(client)[0]

    def test_a_code_is_good_once(self, secret: str) -> None:
        now = code_of(secret)
        assert log_in(now).status_code == 200
        assert code(log_in(now)) == (401, "wrong_otp")
        assert code(log_in(code_of(secret, -1))) == (401, "wrong_otp"), "nor is an earlier one, any more"
        assert log_in(code_of(secret, 1)).status_code == 200
        forget_steps()
        assert code(log_in(code_of(secret, 3))) == (401, "wrong_otp")
        assert code(log_in(code_of(secret, -3))) == (401, "wrong_otp")

    def test_a_recovery_code_is_good_once_however_it_is_typed(self, client: APIClient) -> None:
        _, codes = enrol(client)
        for typed in (codes[0].upper().replace("-", " "), codes[1].replace("-", "")):
            assert log_in(typed).status_code == 200
            assert code(log_in(typed)) == (401, "wrong_otp")
        assert RecoveryCode.objects.count() == 8

    def test_a_wrong_password_is_told_the_same_with_and_without_a_second_factor(
        self, secret: str, register: Register
    ) -> None:
        register("plain@example.com", password=PASSWORD)
        told: list[Any] = []
        for email in ("ada@example.com", "plain@example.com", "nobody@example.com"):
            for otp in (None, "123456", code_of(secret)):
                answer = log_in(otp, "wrong", email, REMOTE_ADDR=f"192.0.2.{len(told)}")
                body = {k: v for k, v in answer.json().items() if k != "request_id"}
                told.append((answer.status_code, body, {*answer.headers}))
        assert all(one == told[0] for one in told)
        assert told[0][1]["code"] == "wrong_credentials"
        assert log_in(code_of(secret)).status_code == 200, "a code beside a wrong password is not used up"

    def test_and_takes_as_long(self, secret: str, register: Register) -> None:
        register("plain@example.com", password=PASSWORD)
        hashers = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
        with override_settings(PASSWORD_HASHERS=hashers):
            for email in ("ada@example.com", "plain@example.com"):
                bus.execute(SetPassword(bus.ask(FindUser(email)), PASSWORD))

            def seconds(email: str) -> float:
                start = time.process_time()
                assert log_in("123456", "wrong", email).status_code == 401
                return time.process_time() - start

            having, lacking = (
                min(seconds(email) for _ in range(2)) for email in ("ada@example.com", "plain@example.com")
            )
        assert 0.5 < having / lacking < 2

    def test_who_has_none_may_send_a_code(self, register: Register) -> None:
        register("plain@example.com", password=PASSWORD)
        assert log_in("123456", email="plain@example.com").status_code == 200

    def test_a_refresh_needs_none(self, secret: str) -> None:
        pair = log_in(code_of(secret)).json()
        assert APIClient().post(REFRESH, {"refresh": pair["refresh"]}).status_code == 200

    def test_with_a_key_the_refusal_counts_and_the_answer_is_replayed(self, secret: str) -> None:
        key = {"Idempotency-Key": "k"}
        assert code(log_in("000000", headers=key)) == (401, "wrong_otp")
        assert LoginAttempts.objects.order_by("-count")[0].count == 1
        now = code_of(secret)
        first = log_in(now, headers=key)
        assert first.status_code == 200
        assert log_in(now, headers=key).json() == first.json()

    def test_who_has_none_costs_no_statement_more(self, ada: UserSnapshot) -> None:
        with CaptureQueriesContext(connection) as captured:
            logged_in()
        (asked,) = [query["sql"] for query in captured.captured_queries if "users_secondfactor" in query["sql"]]
        assert '"users_user"."password"' in asked, "it is read with the user"


class TestLimit:
    """Guessing codes is limited like guessing passwords, by the same counters."""

    @pytest.fixture
    def secret(self, client: APIClient) -> str:
        return enrol(client)[0]

    def test_at_the_log_in(self, secret: str, strict: None) -> None:
        guesses = [log_in(f"{n:06}", REMOTE_ADDR=f"203.0.113.{n}").status_code for n in range(5)]
        assert guesses == [401, 401, 401, 429, 429]
        assert log_in(code_of(secret), REMOTE_ADDR="203.0.113.99").status_code == 429
        assert log_in(None, "wrong", REMOTE_ADDR="203.0.113.98").status_code == 429, "the same counter"

    def test_asking_for_the_code_is_no_failure(self, secret: str, strict: None) -> None:
        assert {log_in().status_code for _ in range(6)} == {401}
        assert log_in(code_of(secret)).status_code == 200

    def test_recovery_codes_too(self, secret: str, strict: None) -> None:
        assert [log_in(f"aaaa-bbbb-cccc-ddd{n}").status_code for n in range(2, 6)] == [401, 401, 401, 429]

    def test_removing_and_confirming(self, client: APIClient, strict: None) -> None:
        client.post(TOTP)
        guesses = [client.post(CONFIRM, {"code": f"{n:06}"}).status_code for n in range(2)]
        guesses += [client.post(CONFIRM, {"code": "0"}, headers={"Idempotency-Key": "k"}).status_code]
        guesses += [client.post(CONFIRM, {"code": "0"}).status_code, client.delete(TOTP, {"code": "0"}).status_code]
        assert guesses == [403, 403, 403, 429, 429]

    def test_after_many_in_a_row_only_a_recovery_code_will_do(
        self, client: APIClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(second_factor, "MOST_MISSES", 4)
        secret, codes = enrol(client)
        assert code(log_in("000000")) == (401, "wrong_otp")
        assert log_in(code_of(secret)).status_code == 200, "a right one begins the count anew"
        forget_steps()
        assert code(log_in("000000")) == code(log_in("aaaa", headers={"Idempotency-Key": "k"})) == (401, "wrong_otp")
        assert code(client.delete(TOTP, {"code": "000000"})) == (403, "wrong_code")
        assert code(log_in(code_of(secret), "wrong")) == (401, "wrong_credentials")
        assert SecondFactor.objects.get().misses == 3
        log_in("000000")
        for answer in (log_in(code_of(secret)), client.delete(TOTP, {"code": code_of(secret)})):
            assert "only a recovery code will do" in answer.json()["detail"]
        assert log_in(codes[0]).status_code == 200
        assert log_in(code_of(secret)).status_code == 200

    def test_removing_by_guesses(self, client: APIClient, secret: str, strict: None) -> None:
        assert [client.delete(TOTP, {"code": f"{n:06}"}).status_code for n in range(4)] == [403, 403, 403, 429]
        assert client.delete(TOTP, {"code": code_of(secret)}).status_code == 429
        assert SecondFactor.objects.exists()
