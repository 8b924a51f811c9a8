"""The pages that links in mails lead to, if the product has none of its own: plain, and without JavaScript."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from apps.users.commands import UserSnapshot
from tests.conftest import PASSWORD
from tests.users.letters import link, post, subjects
from tests.users.test_own_password import CHANGED, NEW, logged_in

pytestmark = pytest.mark.django_db
RESET, FORGOTTEN = "/account/password-reset", "/account/forgotten-password"


@pytest.fixture
def browser() -> Client:
    """A browser, held to the check against forged forms."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def page(ada: UserSnapshot, anyone: APIClient) -> str:
    """The path and query of the link in the mail that Ada got."""
    anyone.post("/api/v1/auth/password-reset", {"email": ada.email})
    post()
    return urlsplit(link())._replace(scheme="", netloc="").geturl()


def fields(answer: Any) -> dict[str, str]:
    """The hidden fields of the page's form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.content.decode()))


def test_the_link_leads_to_a_form_that_changes_the_password(browser: Client, page: str) -> None:
    shown = browser.get(page)
    assert shown.status_code == 200
    html = shown.content.decode()
    assert '<label for="id_password">New password:</label>' in html
    assert 'aria-describedby="id_password_helptext"' in html
    assert "<script" not in html
    assert '<html lang="en">' in html
    done = browser.post(RESET, fields(shown) | {"password": NEW})
    assert (done.status_code, 'role="status"' in done.content.decode()) == (200, True)
    logged_in(NEW)
    post()
    assert subjects()[-1] == CHANGED


def test_a_look_changes_nothing_however_often(browser: Client, page: str) -> None:
    for method in (browser.head, browser.get, browser.get):
        assert method(page).status_code == 200
    logged_in(PASSWORD)


def test_no_token_leaks(browser: Client, page: str) -> None:
    with capture_logs() as lines:
        shown = browser.get(page)
    token = fields(shown)["token"]
    assert shown.headers["Referrer-Policy"] == "strict-origin"
    assert "no-store" in shown.headers["Cache-Control"]
    assert f'action="{RESET}"' in shown.content.decode()
    outside = re.findall(r'(?:href|src)="((?:https?:)?//[^"]*)"', shown.content.decode())
    assert outside == []
    with capture_logs() as more:
        browser.post(RESET, fields(shown) | {"password": NEW})
    assert str([*lines, *more]).count(RESET) == 2
    assert token not in str([*lines, *more])


def test_a_forged_form_changes_nothing(browser: Client, page: str) -> None:
    shown = browser.get(page)
    for forged in (
        {"token": fields(shown)["token"], "password": NEW},
        fields(shown) | {"password": NEW, "csrfmiddlewaretoken": "x" * 64},
    ):
        assert browser.post(RESET, forged).status_code == 403
    crossed = browser.post(RESET, fields(shown) | {"password": NEW}, headers={"Origin": "https://evil.example"})
    assert crossed.status_code == 403
    logged_in(PASSWORD)


def test_a_refused_password_is_said_at_its_field(browser: Client, page: str) -> None:
    answer = browser.post(RESET, fields(browser.get(page)) | {"password": "short"})
    html = answer.content.decode()
    assert (answer.status_code, 'role="alert"' in html, 'aria-invalid="true"' in html) == (400, True, True)
    assert "too short" in html
    assert "short" not in re.findall(r'value="([^"]*)"', html)
    assert browser.post(RESET, fields(answer) | {"password": NEW}).status_code == 200


@pytest.mark.parametrize("query", ["", "?token=", "?token=x", "?token=%3Cscript%3E", f"?token={'x' * 5000}"])
def test_a_dead_link_says_so_and_has_no_form(browser: Client, query: str) -> None:
    answer = browser.get(RESET + query)
    html = answer.content.decode()
    assert (answer.status_code, "<form" in html, 'role="alert"' in html) == (400, False, True)
    assert "<script>" not in html


def test_a_used_link_is_dead(browser: Client, page: str) -> None:
    form = fields(browser.get(page))
    assert browser.post(RESET, form | {"password": NEW}).status_code == 200
    assert "<form" not in browser.post(RESET, form | {"password": "a third phrase for it"}).content.decode()
    assert browser.get(page).status_code == 400
    logged_in(NEW)


def test_the_admin_s_log_in_leads_to_a_page_that_sends_the_link(browser: Client, ada: UserSnapshot) -> None:
    assert f'href="{FORGOTTEN}"' in browser.get("/admin/login/").content.decode()
    said = []
    for email in (ada.email, "nobody@example.com"):
        answer = browser.post(FORGOTTEN, fields(browser.get(FORGOTTEN)) | {"email": email})
        said.append((answer.status_code, answer.content))
    assert said[0] == said[1]
    assert browser.post(FORGOTTEN, fields(browser.get(FORGOTTEN)) | {"email": "nobody"}).status_code == 400
    post()
    assert subjects() == ["Choose a new password"]


def test_errors_are_pages_and_other_methods_are_refused(browser: Client) -> None:
    answer = browser.get("/account/nothing")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert browser.get("/account/forgotten-password", headers={"Host": "evil.example"}).status_code == 400
    assert Client().put(RESET).status_code == 405


def test_the_pages_are_limited_like_the_api(browser: Client) -> None:
    assert "RateLimit" in browser.get(FORGOTTEN).headers
