"""Logging in to the admin: limited like the API's logins, by the same counters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from structlog.testing import capture_logs

from apps.users.commands import UserSnapshot

pytestmark = pytest.mark.django_db
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


def test_successful_logins_do_not_count(boss: UserSnapshot) -> None:
    for _ in range(LIMIT + 2):
        assert log_in().status_code == 302
