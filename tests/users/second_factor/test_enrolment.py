"""Setting up a second factor: what is shown, what is kept, and how."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.conf import settings
from django.db import connection
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from apps.core.crypto import Box
from apps.users import totp
from apps.users.commands import UserSnapshot
from apps.users.models import RecoveryCode, SecondFactor
from tests.conftest import PASSWORD
from tests.users.codes import CONFIRM, TOTP, code_of, enrol
from tests.users.second_factor.logins import ME, code, log_in, logged_in, with_settings

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


class TestCodes:
    """What a code is."""

    # RFC 6238, appendix B, the last six of the eight digits
    @pytest.mark.parametrize(("now", "expected"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")])
    def test_the_rfcs_own(self, now: int, expected: str) -> None:
        secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        assert totp.step_of(secret, expected, now) == now // 30
        assert [totp.step_of(secret, expected, now + 30 * off) for off in (1, 2)] == [now // 30, None]

    @pytest.mark.parametrize(
        "wrong",
        ["", "28708", "2870820", "\uff12\uff18\uff17\uff10\uff18\uff12", "28708x", "287082\n", "-87082", "+287082"],
    )
    def test_nothing_else(self, wrong: str) -> None:
        assert totp.step_of("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", wrong, 59) is None

    def test_secrets_and_recovery_codes_are_drawn_at_random(self) -> None:
        assert len({totp.new_secret() for _ in range(50)}) == 50
        codes = totp.recovery_codes()
        assert len(set(codes)) == 10
        assert all(re.fullmatch(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", one) for one in codes)


class TestEnrolment:
    """POST /auth/totp, and its confirmation."""

    def test_the_app_is_given_a_secret_an_address_and_a_qr_code(self, client: APIClient) -> None:
        answer = client.post(TOTP)
        drawn = answer.json()
        assert (answer.status_code, answer["Cache-Control"], set(drawn)) == (200, "no-store", {"secret", "uri", "qr"})
        uri = urlsplit(drawn["uri"])
        assert (uri.scheme, uri.netloc, uri.path) == (
            "otpauth",
            "totp",
            f"/{quote(settings.ENV.api_title)}:ada%40example.com",
        )
        assert "+" not in drawn["uri"]
        assert parse_qs(uri.query) == {
            "secret": [drawn["secret"]],
            "issuer": [settings.ENV.api_title],
            "digits": ["6"],
            "period": ["30"],
            "algorithm": ["SHA1"],
        }
        assert re.fullmatch(r'<svg xmlns="http://www.w3.org/2000/svg" [^<]*>.*</svg>', drawn["qr"])
        assert "script" not in drawn["qr"]
        assert drawn["secret"] not in drawn["qr"]
        assert log_in().status_code == 200, "it is not in force yet"

    def test_from_the_confirmation_on_a_log_in_needs_a_code(self, client: APIClient) -> None:
        elsewhere = logged_in()
        secret = client.post(TOTP).json()["secret"]
        used = code_of(secret)
        answer = client.post(CONFIRM, {"code": used})
        assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
        assert len(answer.json()["recovery_codes"]) == 10
        assert code(log_in()) == (401, "otp_required")
        assert code(log_in(used)) == (401, "wrong_otp"), "the code of the confirmation is used up"
        assert log_in(code_of(secret, 1)).json().keys() == {"access", "refresh", "token_type", "expires_in"}
        assert client.get(ME).status_code == 200
        assert elsewhere.get(ME).status_code == 401, "it was opened without a second factor"

    def test_what_is_refused(self, client: APIClient) -> None:
        assert code(client.post(CONFIRM, {"code": "123456"})) == (409, "totp_not_begun")
        assert code(client.delete(TOTP, {"code": "123456"})) == (409, "totp_not_enabled")
        first = client.post(TOTP).json()["secret"]
        second = client.post(TOTP).json()["secret"]
        assert first != second, "whoever saw the first one must not know the second"
        assert code(client.post(CONFIRM, {"code": code_of(first)})) == (403, "wrong_code")
        assert client.post(CONFIRM, {"code": f" {code_of(second)[:3]} {code_of(second)[3:]}"}).status_code == 200
        assert code(client.post(TOTP)) == (409, "totp_enabled")
        assert code(client.post(CONFIRM, {"code": code_of(second, 1)})) == (409, "totp_enabled")
        for body in ({}, {"code": 123456}, {"code": ""}, {"code": "1" * 65}, {"code": "1", "user": 1}):
            assert client.post(CONFIRM, body).status_code == client.delete(TOTP, body).status_code == 400

    def test_nobody_can_without_a_token(self, anyone: APIClient) -> None:
        assert anyone.post(TOTP).status_code == anyone.post(CONFIRM, {"code": "1"}).status_code == 401
        assert anyone.delete(TOTP, {"code": "1"}).status_code == 401

    def test_codes_of_another_user_are_no_use(self, client: APIClient, register: Register) -> None:
        register("eve@example.com", password=PASSWORD)
        eve = logged_in(email="eve@example.com")
        hers, her_codes = enrol(eve)
        assert client.post(TOTP).status_code == 200
        assert code(client.post(CONFIRM, {"code": code_of(hers)})) == (403, "wrong_code")
        enrol(client)
        for one in (code_of(hers), her_codes[0]):
            assert code(log_in(one)) == (401, "wrong_otp")
            assert code(client.delete(TOTP, {"code": one})) == (403, "wrong_code")
        assert RecoveryCode.objects.count() == 20


class TestKept:
    """Nothing of it is kept in the clear."""

    def test_neither_in_tables_nor_in_kept_answers_nor_in_the_log(self, client: APIClient) -> None:
        with capture_logs() as lines:
            drawn = client.post(TOTP, headers={"Idempotency-Key": "k1"}).json()
            assert client.post(TOTP, headers={"Idempotency-Key": "k1"}).json() == drawn
            kept = everything_kept()
            assert drawn["secret"] not in kept
            assert "<svg" not in kept
            confirm = {"code": code_of(drawn["secret"])}
            codes = client.post(CONFIRM, confirm, headers={"Idempotency-Key": "k2"}).json()["recovery_codes"]
            replayed = client.post(CONFIRM, confirm, headers={"Idempotency-Key": "k2"})
        assert (replayed.json()["recovery_codes"], replayed["Idempotency-Replayed"]) == (codes, "true")
        told = everything_kept() + str(lines)
        assert not [one for one in (drawn["secret"], *codes, *(c.replace("-", "") for c in codes)) if one in told]
        again = client.post(TOTP, headers={"Idempotency-Key": "k1"})
        assert code(again) == (409, "totp_enabled"), "the kept answer with the secret is gone"

    def test_what_an_earlier_key_closed_opens_and_is_closed_anew_by_its_use(
        self, client: APIClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        secret, _ = enrol(client)
        old, new = settings.ENV.secret_key, "n" * 40
        with with_settings(secret_key=new, secret_key_fallbacks=(old,)):
            assert log_in(code_of(secret)).status_code == 200
        assert Box(new, totp.PURPOSE).open(SecondFactor.objects.get().secret) == secret

    def test_without_its_key_a_recovery_code_still_opens(self, client: APIClient) -> None:
        secret, codes = enrol(client)
        SecondFactor.objects.update(secret=Box("l" * 40, totp.PURPOSE).close(secret))
        with capture_logs() as lines:
            assert code(log_in(code_of(secret))) == (401, "wrong_otp")
        assert "second_factor_unreadable" in [line["event"] for line in lines]
        assert log_in(codes[0]).status_code == 200


def everything_kept() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        tables = [table for (table,) in cursor.fetchall()]
        found = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [row for (row,) in cursor.fetchall()]
    return "\n".join(found)
