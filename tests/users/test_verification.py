"""Verified addresses: a link in the welcome mail, another on demand, and log-ins that need one if they have to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.bus import Bus, bus
from apps.events.models import OutboxEvent
from apps.users.commands import LogIn, RegisterUser, UserSnapshot
from apps.users.factor_commands import CheckLogin
from apps.users.letters import WriteVerification, WriteWelcome
from apps.users.models import User
from config.container import Container
from tests.conftest import PASSWORD
from tests.core.racing import at_once
from tests.users.letters import link, post, subjects, token
from tests.users.test_own_password import logged_in

pytestmark = pytest.mark.django_db
VERIFY, RESEND = "/api/v1/auth/email-verification", "/api/v1/auth/email-verification/resend"
ASKED = "Confirm your address"


@contextmanager
def verification(mode: str) -> Iterator[None]:
    """The service as it is with EMAIL_VERIFICATION=`mode`."""
    other = Bus()
    Container(replace(settings.ENV, email_verification=mode)).wire(other)
    with ExitStack() as stack:
        stack.enter_context(bus.replaced(LogIn, other.execute))
        stack.enter_context(bus.replaced(CheckLogin, other.execute))
        stack.enter_context(bus.replaced(WriteWelcome, other.ask))
        stack.enter_context(bus.replaced(WriteVerification, other.ask))
        yield


@pytest.fixture
def ada(register: Callable[..., UserSnapshot]) -> UserSnapshot:
    """A user who has just registered, and got the welcome mail."""
    user = register(password=PASSWORD)
    post()
    return user


def verify(given: str) -> Any:
    return APIClient().post(VERIFY, {"token": given})


def verified() -> bool:
    return User.objects.get(email__iexact="ada@example.com").email_verified_at is not None


def test_the_welcome_mail_has_a_link_that_verifies_the_address(ada: UserSnapshot, staff: APIClient) -> None:
    assert link() == f"http://localhost:8000/account/email-verification?token={token()}"
    before = staff.get(f"/api/v2/users/{ada.id}")
    assert before.json()["email_verified_at"] is None
    answer = verify(token())
    assert (answer.status_code, answer.content) == (204, b"")
    after = staff.get(f"/api/v2/users/{ada.id}")
    assert after.json()["email_verified_at"] > before.json()["created_at"]
    assert after.headers["ETag"] != before.headers["ETag"]
    told = staff.get("/api/v1/events", {"type": "user.updated"}).json()["results"]
    post()
    told = staff.get("/api/v1/events", {"type": "user.updated"}).json()["results"]
    assert [(e["data"]["email"], e["data"]["version"]) for e in told] == [(ada.email, 2)]


def test_v1_does_not_show_it_and_no_read_asks_for_more(ada: UserSnapshot, staff: APIClient) -> None:
    for version, shows in (("v1", False), ("v2", True)):
        with CaptureQueriesContext(connection) as captured:
            one = staff.get(f"/api/{version}/users/{ada.id}").json()
            listed = staff.get(f"/api/{version}/users").json()["results"][-1]
        assert [("email_verified_at" in user) for user in (one, listed)] == [shows, shows]
        assert len(captured) == 2


def test_a_link_works_once(ada: UserSnapshot) -> None:
    assert verify(token()).status_code == 204
    again = verify(token())
    assert (again.status_code, again.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(
    "happens",
    [
        lambda: User.objects.update(email="ada@example.org"),
        lambda: User.objects.update(is_active=False),
        lambda: User.objects.all().delete(),
    ],
    ids=["another address", "deactivated", "gone"],
)
def test_it_is_dead_after(ada: UserSnapshot, happens: Callable[[], object]) -> None:
    happens()
    assert verify(token()).status_code == 401


def test_a_link_for_something_else_verifies_nothing(ada: UserSnapshot) -> None:
    APIClient().post("/api/v1/auth/password-reset", {"email": ada.email})
    welcome = token()
    post()
    reset = token()
    assert verify(reset).status_code == 401
    other = APIClient().post("/api/v1/auth/password-reset/confirm", {"token": welcome, "password": PASSWORD})
    assert other.status_code == 401
    assert not verified()


def test_whoever_resets_the_password_by_mail_has_shown_it_too(ada: UserSnapshot) -> None:
    welcome = token()
    APIClient().post("/api/v1/auth/password-reset", {"email": ada.email})
    post()
    given = {"token": token(), "password": "quite another phrase"}
    assert APIClient().post("/api/v1/auth/password-reset/confirm", given).status_code == 204
    assert verified()
    assert verify(welcome).status_code == 401


class TestResend:
    """POST /auth/email-verification/resend."""

    def test_the_caller_gets_another_link(self, ada: UserSnapshot) -> None:
        bodies: tuple[dict[str, str] | None, ...] = (None, {})
        for body in bodies:
            answer = logged_in().post(RESEND, body)
            assert (answer.status_code, answer.content) == (202, b"")
        post()
        assert subjects() == [ASKED] * 2
        assert verify(token()).status_code == 204

    def test_without_a_token_the_address_is_named_and_nothing_tells_if_anybody_has_it(
        self, ada: UserSnapshot, register: Callable[..., UserSnapshot]
    ) -> None:
        register("done@example.com", verified=True)
        emails = (ada.email, "done@example.com", "nobody@example.com")
        answers = [APIClient().post(RESEND, {"email": email}) for email in emails]
        assert [(answer.status_code, answer.content) for answer in answers] == [(202, b"")] * 3
        post()
        assert [sent.recipients() for sent in mail.outbox if sent.subject == ASKED] == [[ada.email]]

    def test_somebody_has_to_be_named(self, anyone: APIClient) -> None:
        assert anyone.post(RESEND).status_code == 401
        assert anyone.post(RESEND, {}).status_code == 401
        assert anyone.post(RESEND, {"email": "nobody"}).status_code == 400
        assert anyone.post(RESEND, {"mail": "ada@example.com"}).json()["errors"][0]["code"] == "unknown"

    def test_a_few_an_hour(self, ada: UserSnapshot) -> None:
        client = logged_in()
        assert [client.post(RESEND).status_code for _ in range(5)] == [202] * 5
        post()
        assert subjects() == [ASKED] * 3
        assert APIClient().post("/api/v1/auth/password-reset", {"email": ada.email}).status_code == 202
        post()
        assert len(subjects()) == 4, "other mails are counted by themselves"


class TestRequired:
    """EMAIL_VERIFICATION."""

    def test_required_nobody_logs_in_before(self, ada: UserSnapshot, anyone: APIClient) -> None:
        credentials = {"email": ada.email, "password": PASSWORD}
        User.objects.update(is_staff=True)
        with verification("required"):
            answer = anyone.post("/api/v1/auth/token", credentials)
            assert (answer.status_code, answer.json()["code"]) == (403, "email_unverified")
            assert anyone.post("/api/v1/auth/token", credentials | {"password": "wrong"}).status_code == 401
            page = Client().post("/admin/login/", {"username": ada.email, "password": PASSWORD})
            assert "Confirm your address first" in page.content.decode()
            assert verify(token()).status_code == 204
            assert anyone.post("/api/v1/auth/token", credentials).status_code == 200

    def test_optional_and_off_do_not_ask_at_the_log_in(self, ada: UserSnapshot) -> None:
        for mode in ("optional", "off"):
            with verification(mode):
                logged_in()

    def test_off_sends_no_links(self, register: Callable[..., UserSnapshot], anyone: APIClient) -> None:
        with verification("off"):
            register()
            anyone.post(RESEND, {"email": "ada@example.com"})
            post()
        (welcome,) = mail.outbox
        assert "http" not in str(welcome.message())

    def test_whom_the_command_line_makes_is_verified(self, anyone: APIClient) -> None:
        bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True, verified=True))
        post()
        assert "http" not in str(mail.outbox[0].message())
        with verification("required"):
            credentials = {"email": "boss@example.com", "password": PASSWORD}
            assert anyone.post("/api/v1/auth/token", credentials).status_code == 200


def test_a_name_that_readers_of_mail_make_a_link_of_is_left_out(register: Callable[..., UserSnapshot]) -> None:
    for number, name in enumerate(("Win at evil.example", "https://evil", "Dr. Ada L.")):
        register(f"user{number}@example.com", name)
    post()
    bodies = [str(sent.body).splitlines()[0] for sent in mail.outbox]
    assert bodies == ["Hello you,", "Hello you,", "Hello Dr. Ada L.,"]


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_confirm_at_once_one_wins(ada: UserSnapshot) -> None:
    given = token()
    answers = at_once(8, lambda _: verify(given).status_code)
    assert sorted(map(str, answers)) == ["204"] + ["401"] * 7
    assert OutboxEvent.objects.filter(type="user.updated").count() == 1
