"""Logging in to the admin: limited like the API's logins, by the same counters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from apps.users.commands import UserSnapshot

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("early_in_a_minute")]
PASSWORD = "correct horse battery staple"
LIMIT = settings.ENV.login_rate_limit_per_minute


@pytest.fixture
def boss(register: Callable[..., UserSnapshot]) -> UserSnapshot:
    return register("boss@example.com", "Boss", password=PASSWORD, is_staff=True)


def log_in(email: str = "boss@example.com", password: str = PASSWORD, **extra: Any) -> Any:
    form = {"username": email, "password": password, "next": "/admin/"}
    return Client().post("/admin/login/", form, **extra)


def errors(answer: Any) -> str:
    return " ".join(answer.context["form"].non_field_errors())


def test_staff_get_in_in_any_letter_case(boss: UserSnapshot) -> None:
    assert log_in(" Boss@EXAMPLE.com").status_code == 302


def test_a_wrong_password_and_nobody_are_told_the_same(
    boss: UserSnapshot, register: Callable[..., UserSnapshot]
) -> None:
    register("plain@example.com", password=PASSWORD)
    wrong, nobody = log_in(password="wrong"), log_in("nobody@example.com")
    assert errors(wrong) == errors(nobody) == errors(log_in("plain@example.com"))
    assert "correct" in errors(wrong)


def test_after_too_many_failures_the_right_password_is_no_use_and_the_log_says_so(boss: UserSnapshot) -> None:
    for attempt in range(LIMIT):
        log_in(password=f"wrong {attempt}", REMOTE_ADDR=f"198.51.100.{attempt}")
    with capture_logs() as logs:
        refused = log_in()
    assert "Too many failed logins" in errors(refused)
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["login_limited"]
    assert Client().get("/admin/").status_code == 302


def test_the_api_and_the_admin_count_together(boss: UserSnapshot) -> None:
    body = {"email": "boss@example.com", "password": "wrong"}
    for _ in range(LIMIT):
        assert Client().post("/api/v1/auth/token", body, content_type="application/json").status_code == 401
    assert "Too many failed logins" in errors(log_in())


def test_an_address_has_only_so_many_requests_a_minute(boss: UserSnapshot, valkey: redis.Redis) -> None:
    log_in(password="wrong")
    (key,) = valkey.keys(f"{settings.VALKEY_PREFIX}rate:addr:*")
    valkey.set(key, settings.ENV.rate_limit_per_minute, keepttl=True)
    refused = log_in()
    assert (refused.status_code, refused["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert 0 < int(refused["Retry-After"]) <= 60
    assert "try again in" in refused.content.decode()
    assert Client().get("/admin/").status_code == 302, "other pages of the admin are not counted"


def test_one_address_locks_no_more_accounts_than_it_has_attempts(
    boss: UserSnapshot, register: Callable[..., UserSnapshot]
) -> None:
    for number in range(LIMIT + 5):
        register(f"staff{number}@example.com", password=PASSWORD, is_staff=True)
        for _ in range(2):
            log_in(f"staff{number}@example.com", "wrong")
    elsewhere = {"REMOTE_ADDR": "203.0.113.99"}
    assert {log_in(f"staff{number}@example.com", **elsewhere).status_code for number in range(LIMIT + 5)} == {302}


def test_guesses_at_the_old_password_count_too(boss: UserSnapshot) -> None:
    browser = Client()
    browser.post("/admin/login/", {"username": boss.email, "password": PASSWORD})
    new = "an entirely other pass phrase"
    form = {"old_password": "wrong", "new_password1": new, "new_password2": new}
    for _ in range(LIMIT):
        assert "incorrect" in str(browser.post("/admin/password_change/", form).context["form"].errors)
    right = browser.post("/admin/password_change/", form | {"old_password": PASSWORD})
    assert "Too many failed logins" in str(right.context["form"].errors)


def test_successful_logins_do_not_count(boss: UserSnapshot) -> None:
    for _ in range(LIMIT + 2):
        assert log_in().status_code == 302


def test_a_new_password_ends_the_logins_of_the_old_one_but_this(
    boss: UserSnapshot, client_of: Callable[..., APIClient]
) -> None:
    elsewhere, other_browser, browser = client_of(boss), Client(), Client()
    for client in (other_browser, browser):
        client.post("/admin/login/", {"username": boss.email, "password": PASSWORD})
    new = "an entirely other pass phrase"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert browser.post("/admin/password_change/", form | {"old_password": "wrong"}).status_code == 200
    assert browser.post("/admin/password_change/", form).status_code == 302
    assert browser.get("/admin/").status_code == 200
    assert other_browser.get("/admin/").status_code == 302
    assert elsewhere.get("/api/v1/users/me").status_code == 401
    assert log_in(password=new).status_code == 302


def test_the_last_staff_cannot_be_deleted_by_selecting_them(boss: UserSnapshot) -> None:
    client = Client()
    client.post("/admin/login/", {"username": boss.email, "password": PASSWORD})
    form = {"action": "delete_selected", "_selected_action": [boss.id], "post": "yes"}
    answer = client.post("/admin/users/user/", form, follow=True)
    assert answer.status_code == 200
    assert "last active staff" in answer.content.decode()
    assert client.get("/admin/").status_code == 200
