"""The second factor: a log-in needs the password and a code, each code once, and nothing tells who has one."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from apps.core.bus import Bus, bus
from apps.core.crypto import Box
from apps.events.models import OutboxEvent
from apps.users import second_factor, totp
from apps.users.commands import LogIn, RefreshSession, SetPassword, UserSnapshot
from apps.users.factor_commands import CheckLogin, ConfirmTotp, RemoveTotp, ResetTotp
from apps.users.models import LoginAttempts, RecoveryCode, SecondFactor, Session
from apps.users.queries import FindUser
from config.container import Container
from tests.conftest import PASSWORD
from tests.core.racing import at_once, held_open, waiting_for_a_lock
from tests.users.codes import CONFIRM, TOTP, code_of, enrol, forget_steps
from tests.users.letters import post, subjects, token
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]
TOKEN, REFRESH, ME = "/api/v1/auth/token", "/api/v1/auth/token/refresh", "/api/v1/users/me"


def log_in(otp: str | None = None, password: str = PASSWORD, email: str = "ada@example.com", **more: Any) -> Any:
    body = {"email": email, "password": password} | ({} if otp is None else {"otp": otp})
    return APIClient().post(TOKEN, body, **more)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def logged_in(otp: str | None = None, **more: Any) -> APIClient:
    answer = log_in(otp, **more)
    assert answer.status_code == 200, answer.json()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    return client


def bearer(client: Any) -> dict[str, str]:
    """The header that `client` sends, for other threads' clients."""
    return {"Authorization": client._credentials["HTTP_AUTHORIZATION"]}


@pytest.fixture
def ada(register: Register) -> UserSnapshot:
    """A user with a password."""
    return register(password=PASSWORD)


@pytest.fixture
def client(ada: UserSnapshot) -> APIClient:
    """Ada's, logged in with her password."""
    return logged_in()


def with_settings(**changes: Any) -> ExitStack:
    """The service as it is after a restart with these settings."""
    restarted = Bus()
    Container(dataclasses.replace(settings.ENV, **changes)).wire(restarted)
    stack = ExitStack()
    for command in (LogIn, CheckLogin, RefreshSession, ConfirmTotp, RemoveTotp):
        stack.enter_context(bus.replaced(command, restarted.execute))
    return stack


@pytest.fixture
def strict(early_in_a_minute: None) -> Iterator[None]:
    """Three failed attempts a minute, in a minute that does not end during the test."""
    with with_settings(login_rate_limit_per_minute=3):
        yield


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


class TestRemoval:
    """DELETE /auth/totp, and what staff and operators can do for who lost it."""

    @pytest.mark.parametrize("by", ["code", "recovery code"])
    def test_by_a_code(self, client: APIClient, by: str) -> None:
        secret, codes = enrol(client)
        elsewhere = logged_in(codes[1])
        assert client.delete(TOTP, {"code": code_of(secret) if by == "code" else codes[0]}).status_code == 204
        assert not RecoveryCode.objects.exists()
        assert log_in().status_code == 200
        assert (client.get(ME).status_code, elsewhere.get(ME).status_code) == (200, 401)
        assert code(log_in(codes[2], "wrong")) == (401, "wrong_credentials")
        fresh, new_codes = enrol(client)
        assert fresh != secret
        assert code(log_in(codes[2])) == (401, "wrong_otp"), "old recovery codes are gone"
        assert log_in(new_codes[0]).status_code == 200

    def test_a_used_code_removes_nothing(self, client: APIClient) -> None:
        secret, _ = enrol(client)
        used = code_of(secret)
        assert log_in(used).status_code == 200
        assert code(client.delete(TOTP, {"code": used})) == (403, "wrong_code")

    def test_by_an_operator(self, client: APIClient, ada: UserSnapshot, capsys: pytest.CaptureFixture[str]) -> None:
        enrol(client)
        call_command("remove_second_factor", ada.email)
        assert "removed" in capsys.readouterr().out
        assert client.get(ME).status_code == 401
        assert log_in().status_code == 200

    def test_it_goes_with_its_user(self, client: APIClient, ada: UserSnapshot, staff: APIClient) -> None:
        enrol(client)
        assert staff.delete(f"/api/v1/users/{ada.id}").status_code == 204
        assert not SecondFactor.objects.exists()
        assert not RecoveryCode.objects.exists()


class TestTold:
    """A mail tells of each change, if and only if it was made."""

    def test_who_sets_it_up_or_removes_it_is_told(self, client: APIClient, ada: UserSnapshot) -> None:
        secret = client.post(TOTP).json()["secret"]
        client.post(CONFIRM, {"code": "000000"})
        post()
        assert subjects() == []
        secret, codes = enrol(client)
        client.delete(TOTP, {"code": "000000"})
        assert client.delete(TOTP, {"code": codes[0]}).status_code == 204
        enrol(client)
        bus.execute(ResetTotp(ada.id))
        post()
        on, off = "A second factor was set up", "Your second factor was removed"
        assert subjects() == [on, off, on, off]
        said = "".join(f"{sent.body}{sent.message()}" for sent in mail.outbox)
        assert not [one for one in (secret, *codes) if one in said]
        identifiers = [sent.message()["Message-ID"] for sent in mail.outbox]
        assert len(set(identifiers)) == len(identifiers)
        assert not [row for row in OutboxEvent.objects.all() if secret in str(row.data)]

    def test_undoing_a_change_of_the_address_takes_along_what_was_set_up_since(
        self, client: APIClient, ada: UserSnapshot
    ) -> None:
        body = {"email": "thief@example.org", "password": PASSWORD}
        assert client.post("/api/v1/auth/email", body).status_code == 202
        post()
        confirmed = client.post("/api/v1/auth/email-verification", {"token": token("thief@example.org")})
        assert confirmed.status_code == 204
        enrol(client)
        post()
        assert client.post("/api/v1/auth/email/undo", {"token": token()}).status_code == 204
        assert not SecondFactor.objects.exists()

    def test_and_leaves_what_was_there_before(self, client: APIClient, ada: UserSnapshot) -> None:
        enrol(client)
        body = {"email": "other@example.org", "password": PASSWORD}
        assert client.post("/api/v1/auth/email", body).status_code == 202
        post()
        assert client.post("/api/v1/auth/email-verification", {"token": token("other@example.org")}).status_code == 204
        post()
        assert client.post("/api/v1/auth/email/undo", {"token": token()}).status_code == 204
        assert SecondFactor.objects.exists()


class TestRequiredOfStaff:
    """STAFF_OTP_REQUIRED, at the API; the admin's is in test_admin_second_factor.py."""

    BOSS = "boss@example.com"

    @pytest.fixture
    def boss(self, register: Register) -> UserSnapshot:
        return register(self.BOSS, password=PASSWORD, is_staff=True)

    def test_staff_without_one_get_no_tokens(
        self, boss: UserSnapshot, ada: UserSnapshot, early_in_a_minute: None
    ) -> None:
        before = log_in(email=self.BOSS).json()
        with with_settings(staff_otp_required=True, login_rate_limit_per_minute=1):
            for _ in range(3):
                assert code(log_in(email=self.BOSS)) == (403, "otp_enrolment_required")
            assert code(log_in("123456", email=self.BOSS)) == (403, "otp_enrolment_required")
            assert log_in().status_code == 200, "others need none"
            refused = APIClient().post(REFRESH, {"refresh": before["refresh"]})
            assert code(refused) == (403, "otp_enrolment_required")
            assert code(log_in(None, "wrong", self.BOSS)) == (401, "wrong_credentials")

    def test_who_removes_it_is_logged_out(self, boss: UserSnapshot) -> None:
        client = logged_in(email=self.BOSS)
        secret, codes = enrol(client)
        with with_settings(staff_otp_required=True):
            assert log_in(codes[0], email=self.BOSS).status_code == 200
            assert client.delete(TOTP, {"code": code_of(secret)}).status_code == 204
            assert client.get(ME).status_code == 401
            assert not Session.objects.filter(revoked_at=None).exists()
            assert code(log_in(email=self.BOSS)) == (403, "otp_enrolment_required")


@pytest.mark.django_db(transaction=True)
class TestRaces:
    """Many at the same moment."""

    def test_of_many_log_ins_with_one_code_one_succeeds(self, ada: UserSnapshot) -> None:
        secret, codes = enrol(logged_in())
        for otp in (code_of(secret), codes[0]):
            # some with a key, in a transaction of their own
            answers: list[Any] = at_once(
                4,
                lambda n, otp=otp: log_in(otp, headers={"Idempotency-Key": f"{otp}{n}"} if n % 2 else {}),  # type: ignore[misc] # bound now
            )
            assert sorted(map(code_or_200, answers)) == ["200", "wrong_otp", "wrong_otp", "wrong_otp"]

    def test_of_two_confirmations_one_wins(self, ada: UserSnapshot) -> None:
        client = logged_in()
        secret = client.post(TOTP).json()["secret"]
        header = bearer(client)
        answers: list[Any] = at_once(3, lambda n: APIClient().post(CONFIRM, {"code": code_of(secret)}, headers=header))
        assert sorted(map(code_or_200, answers)) == ["200", "totp_enabled", "totp_enabled"]
        assert RecoveryCode.objects.count() == 10

    def test_a_log_in_that_was_under_way_when_it_came_into_force_is_refused(self, ada: UserSnapshot) -> None:
        client = logged_in()
        secret = client.post(TOTP).json()["secret"]
        with ThreadPoolExecutor(1) as pool:
            with held_open(lambda: bus.execute(ConfirmTotp(ada.id, code_of(secret), "192.0.2.1"))):
                login = pool.submit(at_once, 1, lambda _: log_in(REMOTE_ADDR="203.0.113.9"))
                wait_for(waiting_for_a_lock, "the log-in waits for the confirmation")
            (answer,) = login.result(30)
        assert answer.status_code == 401  # type: ignore[union-attr] # an answer
        assert not Session.objects.filter(revoked_at=None).exists()

    def test_whatever_meets_nothing_breaks(self, ada: UserSnapshot) -> None:
        secret, codes = enrol(logged_in())
        client = logged_in(codes[0])
        header = bearer(client)
        racers: list[Callable[[], Any]] = [
            lambda: log_in(codes[1], headers={"Idempotency-Key": "k"}, REMOTE_ADDR="203.0.113.1"),
            lambda: APIClient().delete(TOTP, {"code": code_of(secret)}, headers=header),
            lambda: bus.execute(SetPassword(ada.id, PASSWORD + "!")),
            lambda: log_in(codes[2], REMOTE_ADDR="203.0.113.2"),
        ]
        outcomes = at_once(4, lambda n: racers[n]())
        assert not [one for one in outcomes if isinstance(one, Exception)]
        statuses = [one.status_code for one in outcomes if one is not None]  # type: ignore[union-attr] # answers
        assert set(statuses) <= {200, 204, 401, 403}


def code_or_200(answer: Any) -> str:
    return "200" if answer.status_code == 200 else str(answer.json()["code"])
