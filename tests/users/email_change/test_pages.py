"""The pages to which the links of a change lead."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.users.commands import UserSnapshot
from apps.users.models import User
from tests.users.email_change.changing import OLD, OTHER, Register, email
from tests.users.letters import link, post
from tests.users.test_account_pages import fields

pytestmark = pytest.mark.django_db


def test_the_pages_do_the_same_without_javascript(asked: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    for address, page in ((OTHER, "/account/email-change"), (OLD, "/account/email-undo")):
        shown = browser.get(link(address).removeprefix("http://localhost:8000"))
        assert (shown.status_code, "<script" in shown.content.decode()) == (200, False)
        assert shown.headers["Referrer-Policy"] == "strict-origin"
        before = email()
        done = browser.post(page, fields(shown))
        assert (done.status_code, 'role="status"' in done.content.decode()) == (200, True)
        assert email() != before
        assert browser.post(page, fields(shown)).status_code == 400
        post()


def test_the_page_for_verification(ada: UserSnapshot) -> None:
    post()
    browser = Client(enforce_csrf_checks=True)
    shown = browser.get(link(OLD).removeprefix("http://localhost:8000"))
    assert browser.post("/account/email-verification", fields(shown)).status_code == 200
    assert User.objects.get().email_verified_at
    assert browser.get(link(OLD).removeprefix("http://localhost:8000")).status_code == 400


def test_a_page_says_what_is_in_the_way(asked: str, register: Register) -> None:
    register(OTHER)
    browser = Client(enforce_csrf_checks=True)
    shown = browser.get(f"/account/email-change?token={asked}")
    answer = browser.post("/account/email-change", fields(shown))
    assert (answer.status_code, "already a user with this e-mail" in answer.content.decode()) == (400, True)
