"""The second factor in the admin: asked for at the log-in, set up and removed by a plain form, removed by support."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session as BrowserSession
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.users import admin_second_factor
from apps.users.commands import EndSessions, IssueToken, SetPassword, UpdateUser, UserSnapshot
from apps.users.models import RecoveryCode, SecondFactor, User
from tests.conftest import PASSWORD
from tests.users.codes import code_of, enrol, forget_steps
from tests.users.second_factor.logins import logged_in, with_settings

pytestmark = pytest.mark.django_db
PAGE, LOGIN = "/admin/second-factor/", "/admin/login/"
EMAIL = "boss@example.com"


@pytest.fixture
def boss(register: Callable[..., UserSnapshot]) -> UserSnapshot:
    return register(EMAIL, "Boss", password=PASSWORD, is_staff=True)


@pytest.fixture
def required() -> Iterator[None]:
    """STAFF_OTP_REQUIRED."""
    with with_settings(staff_otp_required=True):
        yield


def log_in(browser: Client, otp: str = "", password: str = PASSWORD, **more: str) -> Any:
    return browser.post(LOGIN, {"username": EMAIL, "password": password, "otp": otp, "next": "/admin/", **more})


def send(browser: Client, code: str, act: str = "confirm") -> Any:
    """Send the page's form."""
    return browser.post(PAGE, {"code": code, "act": act})


def errors(answer: Any) -> str:
    return " ".join(answer.context["form"].non_field_errors())


def secret_on(page: Any) -> str:
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page.content.decode())
    assert found, page.content.decode()
    return found[1]


def is_in(browser: Client) -> bool:
    return bool(browser.get("/admin/").status_code == 200)


class TestLogin:
    """The log-in's form."""

    def test_it_asks_for_the_code_and_each_is_good_once(self, boss: UserSnapshot) -> None:
        secret, codes = enrol(logged_in(email=EMAIL))
        browser = Client()
        assert 'name="otp"' in browser.get(LOGIN).content.decode()
        assert "second factor" in errors(log_in(browser))
        used = code_of(secret)
        assert log_in(browser, used).status_code == 302
        assert is_in(browser)
        another = Client()
        assert "used before" in errors(log_in(another, used))
        assert log_in(another, codes[0]).status_code == 302
        assert RecoveryCode.objects.count() == 9

    def test_a_wrong_password_is_told_the_same_whatever_else_there_is(self, boss: UserSnapshot) -> None:
        before = errors(log_in(Client(), password="wrong"))
        secret, _ = enrol(logged_in(email=EMAIL))
        for otp in ("", code_of(secret)):
            assert errors(log_in(Client(), otp, password="wrong")) == before
        assert log_in(Client(), code_of(secret)).status_code == 302

    def test_guesses_count(self, boss: UserSnapshot, early_in_a_minute: None) -> None:
        secret, _ = enrol(logged_in(email=EMAIL))
        with with_settings(login_rate_limit_per_minute=2):
            assert ["used before" in errors(log_in(Client(), f"{n:06}")) for n in range(2)] == [True, True]
            assert "Too many failed logins" in errors(log_in(Client(), code_of(secret)))


class TestRequired:
    """STAFF_OTP_REQUIRED: who has none sets one up before they are let in."""

    def test_the_password_leads_to_the_page_and_a_code_of_it_into_the_admin(
        self, boss: UserSnapshot, required: None
    ) -> None:
        elsewhere = APIClient()
        browser = Client()
        answer = log_in(browser, next="/admin/events/delivery/")
        assert answer["Location"] == PAGE
        assert not is_in(browser), "not yet"
        page = browser.get(PAGE)
        assert "no-store" in page["Cache-Control"]
        assert "QR code" in page.content.decode()
        secret = secret_on(page)
        wrong = send(browser, "000000")
        assert "The code is wrong" in wrong.content.decode()
        assert secret_on(wrong) == secret, "what was scanned stays good"
        assert "This field is required" in send(browser, "").content.decode()
        done = send(browser, code_of(secret))
        codes = re.findall(r"<code>([a-z2-7-]{19})</code>", done.content.decode())
        assert len(codes) == 10
        assert 'href="/admin/events/delivery/"' in done.content.decode()
        assert "no-store" in done["Cache-Control"]
        assert is_in(browser)
        assert AdminNote.objects.get().message == "second factor set up"
        forget_steps()
        assert log_in(Client(), code_of(secret)).status_code == 302
        body = {"email": EMAIL, "password": PASSWORD, "otp": codes[0]}
        assert elsewhere.post("/api/v1/auth/token", body).status_code == 200

    def test_nothing_is_kept_in_the_clear(self, boss: UserSnapshot, required: None) -> None:
        browser = Client()
        log_in(browser)
        secret = secret_on(browser.get(PAGE))
        kept = " ".join(str(row.get_decoded()) for row in BrowserSession.objects.all())
        assert "sealed" in kept
        assert secret not in kept + SecondFactor.objects.get().secret

    def test_the_page_is_nobodys_else(self, boss: UserSnapshot, required: None) -> None:
        stranger, browser = Client(), Client()
        assert stranger.get(PAGE)["Location"] == LOGIN
        assert send(stranger, "000000")["Location"] == LOGIN
        # a session that somebody else has put into the browser, before the password was typed
        browser.get(LOGIN)
        planted = browser.session
        planted["x"] = 1
        planted.save()
        for one in (browser, stranger):
            one.cookies["sessionid"] = str(planted.session_key)
        assert log_in(browser)["Location"] == PAGE
        assert browser.get(PAGE).status_code == 200
        assert stranger.get(PAGE)["Location"] == LOGIN

    @pytest.mark.parametrize(
        "change",
        [
            lambda key: UpdateUser(key, is_active=False),
            lambda key: SetPassword(key, PASSWORD + "!"),
            EndSessions,
        ],
        ids=["deactivated", "password", "logged out"],
    )
    def test_what_ends_a_log_in_ends_this_one(
        self, boss: UserSnapshot, register: Callable[..., UserSnapshot], required: None, change: Callable[[int], Any]
    ) -> None:
        register("other@example.com", is_staff=True)
        browser = Client()
        log_in(browser)
        secret = secret_on(browser.get(PAGE))
        bus.execute(change(boss.id))
        assert send(browser, code_of(secret))["Location"] == LOGIN
        assert not is_in(browser)
        assert not SecondFactor.objects.filter(confirmed_at__isnull=False).exists()

    def test_it_holds_for_ten_minutes(
        self, boss: UserSnapshot, required: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser = Client()
        log_in(browser)
        secret = secret_on(browser.get(PAGE))
        monkeypatch.setattr(admin_second_factor, "PATIENCE_SECONDS", -1)
        log_in(browser)
        assert send(browser, code_of(secret))["Location"] == LOGIN

    def test_a_secret_that_somebody_else_drew_meanwhile_is_not_what_is_confirmed(
        self, boss: UserSnapshot, required: None
    ) -> None:
        thief = logged_in_before(boss)
        browser = Client()
        log_in(browser)
        secret = secret_on(browser.get(PAGE))
        stolen = thief.post("/api/v1/auth/totp").json()["secret"]
        assert "The code is wrong" in send(browser, code_of(stolen)).content.decode()
        assert secret_on(browser.get(PAGE)) == secret
        assert send(browser, code_of(secret)).status_code == 200
        assert thief.get("/api/v1/users/me").status_code == 401

    def test_plain_users_are_told_what_they_always_were(
        self, boss: UserSnapshot, register: Callable[..., UserSnapshot], required: None
    ) -> None:
        register("plain@example.com", password=PASSWORD)
        told = {errors(log_in(Client(), username=name)) for name in ("plain@example.com", "nobody@example.com")}
        assert len(told) == 1


def logged_in_before(boss: UserSnapshot) -> APIClient:
    """Somebody with a token of the user, from before the second factor was required."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {bus.execute(IssueToken(boss.email))}")
    return client


class TestOfOnesOwn:
    """The page for whoever is logged in."""

    def test_set_up_and_removed(self, boss: UserSnapshot) -> None:
        browser, another = Client(), Client()
        for one in (browser, another):
            log_in(one)
        assert f'href="{PAGE}"' in browser.get("/admin/").content.decode()
        secret = secret_on(browser.get(PAGE))
        assert len(re.findall("<li><code>", send(browser, code_of(secret)).content.decode())) == 10
        assert (is_in(browser), is_in(another)) == (True, False)
        forget_steps()
        page = browser.get(PAGE).content.decode()
        assert "Remove" in page
        assert "QR code" not in page
        assert send(browser, code_of(secret))["Location"] == PAGE, "what set it up, sent again, does not remove it"
        assert "The code is wrong" in send(browser, "aaaa", "remove").content.decode()
        assert send(browser, code_of(secret), "remove")["Location"] == LOGIN
        assert not is_in(browser)
        assert not SecondFactor.objects.exists()
        assert log_in(browser).status_code == 302
        assert [note.message for note in AdminNote.objects.order_by("id")] == [
            "second factor set up",
            "second factor removed",
        ]

    def test_a_form_of_another_site_is_refused(self, boss: UserSnapshot) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(User.objects.get(), admin_second_factor.BACKEND)
        assert send(browser, "000000").status_code == 403


class TestSupport:
    """What staff see of a user's second factor, and can do for who lost it."""

    def test_it_is_removed_and_the_sessions_end(
        self, boss: UserSnapshot, register: Callable[..., UserSnapshot]
    ) -> None:
        ada = register(password=PASSWORD)
        client = logged_in()
        page = f"/admin/users/user/{ada.id}/change/"
        browser = Client()
        log_in(browser)
        assert "remove_second_factor" not in browser.get(page).content.decode()
        enrol(client)
        shown = browser.get(page).content.decode()
        assert "10 recovery codes left" in shown
        assert 'value="remove_second_factor"' in shown
        chosen = {"action": "remove_second_factor", "_selected_action": [str(ada.id)], "index": "0", "back": "row"}
        for answer in ({}, {"post": "yes"}):
            assert SecondFactor.objects.exists(), "it asks first"
            browser.post("/admin/users/user/", chosen | answer)
        assert client.get("/api/v1/users/me").status_code == 401
        assert not SecondFactor.objects.exists()
        assert AdminNote.objects.get().message == "second factor removed"
        logged_in()
