"""Leaving: who proves to be themselves is deleted, and what was on its way no longer names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events.models import Delivery, OutboxEvent
from apps.events.relay import fan_out
from apps.users.commands import DeleteUser, Leave, SetPassword, UserSnapshot
from apps.users.errors import WrongPassword
from apps.users.factor_commands import CheckLogin
from apps.users.models import Erasure, LoginAttempts, SecondFactor, User
from apps.users.sessions import Sessions
from tests.conftest import PASSWORD
from tests.core.racing import at_once
from tests.users.codes import code_of, enrol
from tests.users.leavers import EMAIL, LEAVING, ME, work

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


class TestWhoMay:
    """DELETE /users/me."""

    def test_with_the_password_the_account_and_its_tokens_are_gone(self, zoe: UserSnapshot, as_zoe: APIClient) -> None:
        assert as_zoe.delete(ME, LEAVING | {"otp": "123456"}).status_code == 204
        assert as_zoe.get(ME).status_code == 401
        assert not User.objects.filter(id=zoe.id).exists()
        assert OutboxEvent.objects.filter(type="user.deleted").count() == 1

    @pytest.mark.parametrize("version", ["v1", "v2"])
    def test_with_another_one_nothing_happens_and_it_counts_as_a_failed_log_in(
        self, zoe: UserSnapshot, as_zoe: APIClient, anyone: APIClient, version: str
    ) -> None:
        path = f"/api/{version}/users/me"
        statuses = [as_zoe.delete(path, {"password": "wrong"}).status_code for _ in range(12)]
        limit = settings.ENV.login_rate_limit_per_minute
        assert statuses == [403] * limit + [429] * (12 - limit)
        assert as_zoe.get(path).status_code == 200
        log_in = anyone.post(f"/api/{version}/auth/token", {"email": EMAIL, **LEAVING})
        assert log_in.status_code == 429, "the same counters"

    def test_what_is_wrong_is_said(self, zoe: UserSnapshot, as_zoe: APIClient, anyone: APIClient) -> None:
        answers = [
            (as_zoe.delete(ME), 400, "parse_error"),
            (as_zoe.delete(ME, {}), 400, "invalid"),
            (as_zoe.delete(ME, {"password": 1, "why": "bored"}), 400, "invalid"),
            (as_zoe.delete(ME, LEAVING | {"otp": "1" * 65}), 400, "invalid"),
            (as_zoe.delete(ME, {"password": "wrong"}), 403, "wrong_password"),
            (as_zoe.delete(ME, LEAVING, headers={"If-Match": '"old"'}), 412, "precondition_failed"),
            (anyone.delete(ME, LEAVING), 401, "not_authenticated"),
        ]
        assert [(one.status_code, one.json()["code"]) for one, _, _ in answers] == [
            (status, code) for _, status, code in answers
        ]
        assert {one["pointer"] for one in answers[2][0].json()["errors"]} == {"/password", "/why"}
        assert User.objects.filter(id=zoe.id).exists()

    def test_with_a_second_factor_it_takes_a_code(self, zoe: UserSnapshot, as_zoe: APIClient) -> None:
        secret, (recovery, *_) = enrol(as_zoe)
        for given, status, code in (
            (LEAVING, 401, "otp_required"),
            (LEAVING | {"otp": "000000" if code_of(secret) != "000000" else "000001"}, 403, "wrong_code"),
            ({"password": "wrong", "otp": recovery}, 403, "wrong_password"),
        ):
            answer = as_zoe.delete(ME, given)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        guesses = [as_zoe.delete(ME, LEAVING | {"otp": "1234567"}).status_code for _ in range(12)]
        assert guesses[-1] == 429, "codes cannot be guessed"
        LoginAttempts.objects.all().delete()
        assert as_zoe.delete(ME, LEAVING | {"otp": recovery}).status_code == 204
        assert not SecondFactor.objects.exists()

    def test_a_password_that_changes_meanwhile_no_longer_counts(
        self, zoe: UserSnapshot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        check = Sessions.check_login

        def check_and_change(sessions: Sessions, command: CheckLogin) -> Any:
            login = check(sessions, command)
            bus.execute(SetPassword(zoe.id, "quite another phrase"))
            return login

        monkeypatch.setattr(Sessions, "check_login", check_and_change)
        with pytest.raises(WrongPassword):
            bus.execute(Leave(zoe.id, "192.0.2.1", PASSWORD))
        assert User.objects.filter(id=zoe.id).exists()


@pytest.mark.django_db(transaction=True)
def test_who_leaves_twice_at_once_is_deleted_once(zoe: UserSnapshot, register: Register) -> None:
    outcomes = at_once(4, lambda number: bus.execute(Leave(zoe.id, "192.0.2.1", PASSWORD)))
    assert outcomes.count(None) == 1, outcomes
    assert OutboxEvent.objects.filter(type="user.deleted").count() == 1
    work(2)
    assert not Erasure.objects.exists()


class TestWhatWaits:
    """Deliveries that were on their way."""

    def test_nobody_is_greeted_any_more(self, zoe: UserSnapshot, drain: Callable[[], int]) -> None:
        fan_out()
        bus.execute(DeleteUser(zoe.id))
        drain()
        assert mail.outbox == []
        assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}

    def test_one_that_a_worker_read_before_is_not_sent_either(
        self, zoe: UserSnapshot, drain: Callable[[], int]
    ) -> None:
        """The worker has the address in its hands already."""
        before = OutboxEvent.objects.get()
        bus.execute(DeleteUser(zoe.id))
        OutboxEvent.objects.filter(id=before.id).update(data=before.data)
        drain()
        assert mail.outbox == []

    def test_events_keep_their_places_and_one_pseudonym(self, zoe: UserSnapshot, staff: APIClient) -> None:
        fan_out()
        before = [(one["id"], one["type"]) for one in staff.get("/api/v1/events").json()["results"]]
        bus.execute(DeleteUser(zoe.id))
        fan_out()
        feed = staff.get("/api/v1/events").json()["results"]
        assert [(one["id"], one["type"]) for one in feed[: len(before)]] == before
        assert feed[-1]["type"] == "user.deleted"
        pseudonym = {"user_id": zoe.id, "email": f"erased-{zoe.id}@erased.invalid", "name": f"user {zoe.id}"}
        assert [one["data"] for one in feed if one["data"]["user_id"] == zoe.id] == [pseudonym] * 2
