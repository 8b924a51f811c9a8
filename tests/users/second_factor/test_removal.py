"""How a second factor goes, who is told, who must have one, and what happens at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events.models import OutboxEvent
from apps.users.commands import SetPassword, UserSnapshot
from apps.users.factor_commands import ConfirmTotp, ResetTotp
from apps.users.models import RecoveryCode, SecondFactor, Session
from tests.conftest import PASSWORD
from tests.core.racing import at_once, held_open, waiting_for_a_lock
from tests.users.codes import CONFIRM, TOTP, code_of, enrol
from tests.users.letters import post, subjects, token
from tests.users.second_factor.logins import ME, REFRESH, bearer, code, code_or_200, log_in, logged_in, with_settings
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


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
