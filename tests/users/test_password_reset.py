"""POST /auth/password-reset: nobody learns who has an account, and a link is good for one thing, once, for an hour."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.bus import Bus, bus
from apps.core.bus import bus as the_bus
from apps.events import deliveries
from apps.events.models import Delivery, OutboxEvent
from apps.events.relay import fan_out
from apps.users.account_commands import ConfirmPasswordReset
from apps.users.commands import SetPassword, UserSnapshot
from apps.users.errors import DeadLink
from apps.users.letters import WriteReset, reset_state
from apps.users.links import EPOCH, Links, Purpose
from apps.users.models import LoginAttempts, User
from config.container import Container
from tests.conftest import PASSWORD
from tests.core.racing import at_once
from tests.users.letters import link, post, subjects, token
from tests.users.test_own_password import CHANGED, NEW, logged_in

pytestmark = pytest.mark.django_db
ASK, CONFIRM = "/api/v1/auth/password-reset", "/api/v1/auth/password-reset/confirm"
CHOOSE = "Choose a new password"
Register = Callable[..., UserSnapshot]


@pytest.fixture
def mailed(ada: UserSnapshot, anyone: APIClient) -> str:
    """The token of a link that Ada got."""
    assert anyone.post(ASK, {"email": "ADA@example.com"}).status_code == 202
    post()
    return token()


def confirm(given: str, password: str = NEW) -> Any:
    return APIClient().post(CONFIRM, {"token": given, "password": password})


class TestAsking:
    """The answer is always the same."""

    def test_a_link_comes_by_mail(self, mailed: str) -> None:
        assert subjects() == [CHOOSE]
        assert link() == f"http://localhost:8000/account/password-reset?token={mailed}"

    def test_nothing_tells_whether_there_is_such_a_user(self, ada: UserSnapshot, anyone: APIClient) -> None:
        post()
        answers, statements = [], []
        for email in (ada.email, "nobody@example.com"):
            with CaptureQueriesContext(connection) as captured:
                answers.append(anyone.post(ASK, {"email": email}))
            statements.append([re.sub("'.*?'|_x[0-9]+", "?", query["sql"]) for query in captured.captured_queries])
        assert [(answer.status_code, answer.content) for answer in answers] == [(202, b"")] * 2
        assert statements[0] == statements[1]
        assert not [sql for sql in statements[0] if "users_user" in sql], "nobody is looked up"
        post()
        assert [sent.recipients() for sent in mail.outbox if sent.subject == CHOOSE] == [[ada.email]]

    def test_a_few_mails_an_hour_and_address(self, ada: UserSnapshot, anyone: APIClient) -> None:
        for spelling in (
            "ada@example.com",
            "ADA@example.com",
            " ada@EXAMPLE.com",
            '"ada"@example.com',
            "ada@example.com",
        ):
            assert anyone.post(ASK, {"email": spelling}).status_code == 202
        post()
        assert subjects() == [CHOOSE] * 3
        LoginAttempts.objects.update(minute="2020-01-01T00:00:00Z")
        anyone.post(ASK, {"email": ada.email})
        post()
        assert subjects() == [CHOOSE] * 4

    def test_deactivated_users_get_none(self, ada: UserSnapshot, anyone: APIClient) -> None:
        User.objects.update(is_active=False)
        anyone.post(ASK, {"email": ada.email})
        post()
        assert subjects() == []

    @pytest.mark.parametrize("email", ["", "ada", "ada@", "ada@example.com\nBcc: eve@example.com", 5, None])
    def test_what_is_no_address_is_400(self, anyone: APIClient, email: Any) -> None:
        answer = anyone.post(ASK, {"email": email})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/email")

    def test_no_token_is_kept_and_nobody_outside_hears_of_it(self, mailed: str, staff: APIClient) -> None:
        kept = json.dumps(list(OutboxEvent.objects.values_list("data", flat=True)))
        assert mailed not in kept
        event = OutboxEvent.objects.get(type="internal.password_reset_requested")
        assert event.data == {"email": "ADA@example.com"}
        assert {d.receiver for d in event.deliveries.all()} == {"users.send_password_reset"}
        assert [e["type"] for e in staff.get("/api/v1/events").json()["results"]] == ["user.created"]

    def test_a_mail_that_cannot_be_sent_is_a_dead_letter_without_the_token(
        self, ada: UserSnapshot, anyone: APIClient, settings: Any, make_due: Callable[[], None], staff: APIClient
    ) -> None:
        settings.EMAIL_BACKEND = "tests.users.test_password_reset.Refusing"
        anyone.post(ASK, {"email": ada.email})
        fan_out()
        Delivery.objects.exclude(receiver="users.send_password_reset").delete()
        rows = Delivery.objects.all()
        while rows.exclude(state="dead").exists():
            make_due()
            deliveries.work_waiting(seconds=30)
        (letter,) = rows
        assert letter.last_error == "OSError: the mail server said no"
        User.objects.filter(email="staff@example.com").update(password=User.objects.get(email=ada.email).password)
        browser = Client()
        assert browser.login(username="staff@example.com", password=PASSWORD)
        assert "users.send_password_reset" in browser.get("/admin/events/delivery/?state=dead").content.decode()

    def test_the_host_header_is_in_no_link(self, ada: UserSnapshot) -> None:
        for header in ("Host", "X-Forwarded-Host", "Forwarded"):
            APIClient().post(
                ASK, {"email": ada.email}, headers={header: "testserver" if header == "Host" else "evil.example"}
            )
        post()
        assert len(subjects()) == 3
        assert all(
            "evil" not in str(sent.message()) and "testserver" not in str(sent.message()) for sent in mail.outbox
        )


class Refusing:
    """A mail backend whose server takes nothing."""

    def __init__(self, **_: Any) -> None: ...

    def send_messages(self, messages: list[Any]) -> int:
        raise OSError("the mail server said no")


class TestConfirming:
    """The link works once, within an hour, and as long as nothing has changed."""

    def test_the_password_changes_and_all_sessions_end(self, ada: UserSnapshot, mailed: str) -> None:
        answer = confirm(mailed)
        assert (answer.status_code, answer.content) == (204, b"")
        logged_in(NEW)
        post()
        assert subjects() == [CHOOSE, CHANGED]

    def test_sessions_from_before_end(self, ada: UserSnapshot, anyone: APIClient) -> None:
        client = logged_in()
        anyone.post(ASK, {"email": ada.email})
        post()
        assert client.get("/api/v1/users/me").status_code == 200
        assert confirm(token()).status_code == 204
        assert client.get("/api/v1/users/me").status_code == 401

    def test_it_works_once(self, mailed: str) -> None:
        assert confirm(mailed).status_code == 204
        again = confirm(mailed, "a third phrase for it")
        assert (again.status_code, again.json()["code"]) == (401, "invalid_token")
        logged_in(NEW)

    def test_of_two_links_the_other_dies_with_the_first_use(
        self, ada: UserSnapshot, mailed: str, anyone: APIClient
    ) -> None:
        anyone.post(ASK, {"email": ada.email})
        post()
        assert confirm(token()).status_code == 204
        assert confirm(mailed, "a third phrase for it").status_code == 401

    def test_a_refused_password_does_not_use_it_up(self, mailed: str) -> None:
        for bad in ("short", "ada@example.com"):
            answer = confirm(mailed, bad)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/password")
        assert confirm(mailed).status_code == 204

    def test_it_works_for_who_had_no_password(self, register: Register, anyone: APIClient) -> None:
        register()
        anyone.post(ASK, {"email": "ada@example.com"})
        post()
        assert confirm(token()).status_code == 204
        logged_in(NEW)

    @pytest.mark.parametrize(
        "happens",
        [
            lambda ada: logged_in(),
            lambda ada: bus.execute(SetPassword(ada.id, "a third phrase for it")),
            lambda ada: User.objects.update(email="ada@example.org"),
            lambda ada: User.objects.update(is_active=False),
            lambda ada: User.objects.all().delete(),
            lambda ada: User.objects.update(is_staff=True) and Client().login(username=ada.email, password=PASSWORD),
        ],
        ids=["a log-in", "another password", "another address", "deactivated", "gone", "a log-in to the admin"],
    )
    def test_it_is_dead_after(self, ada: UserSnapshot, mailed: str, happens: Callable[[UserSnapshot], object]) -> None:
        happens(ada)
        assert confirm(mailed).status_code == 401

    def test_it_lives_for_an_hour_by_the_database_s_clock(self, ada: UserSnapshot) -> None:
        links = Container(settings.ENV).links
        user = User.objects.get()
        with connection.cursor() as cursor:
            cursor.execute("SELECT statement_timestamp()")
            now = cursor.fetchone()[0]

        def made(**ago: int) -> str:
            return links.token(Purpose.RESET, user.id, reset_state(user), now - timedelta(**ago))

        assert confirm(made(minutes=61)).status_code == 401
        assert confirm(made(hours=1)).status_code == 401
        assert confirm(made(minutes=59)).status_code == 204

    @pytest.mark.parametrize(
        "broken",
        [
            lambda good: "",
            lambda good: "x",
            lambda good: good[:-1] + ("A" if good[-1] != "A" else "B"),
            lambda good: good.partition(".")[0],
            lambda good: "." + good,
            lambda good: good + "x" * 600,
            lambda good: "eyJrIjoxfQ.é",
            lambda good: good + "\x00",
        ],
    )
    def test_nonsense_is_refused(self, mailed: str, broken: Callable[[str], str]) -> None:
        assert confirm(broken(mailed)).status_code in (400, 401)
        assert confirm(mailed).status_code == 204

    def test_a_token_of_another_user_purpose_or_key_is_refused(
        self, ada: UserSnapshot, mailed: str, register: Register
    ) -> None:
        eve = register("eve@example.com", password=PASSWORD)
        user = User.objects.get(id=ada.id)
        now, state = EPOCH + timedelta(seconds=time.time()), reset_state(user)
        ours = Container(settings.ENV).links
        forged = [
            Links("another key of sufficient length", {}).token(Purpose.RESET, ada.id, state, now),
            ours.token(Purpose.RESET, eve.id, state, now),
            ours.token(Purpose.RESET, ada.id, reset_state(User.objects.get(id=eve.id)), now),
        ]
        assert [confirm(one).status_code for one in forged] == [401] * len(forged)
        assert confirm(mailed).status_code == 204

    def test_a_link_made_under_an_earlier_key_works_while_that_is_a_fallback(self, ada: UserSnapshot) -> None:
        earlier = Bus()
        Container(replace(settings.ENV, secret_key="an earlier key of sufficient length")).wire(earlier)
        letter = earlier.ask(WriteReset(ada.email))
        assert letter
        given = letter.link.partition("token=")[2]
        with pytest.raises(DeadLink):
            the_bus.execute(ConfirmPasswordReset(given, NEW))
        later = Bus()
        Container(replace(settings.ENV, secret_key_fallbacks=("an earlier key of sufficient length",))).wire(later)
        later.execute(ConfirmPasswordReset(given, NEW))
        logged_in(NEW)

    def test_the_product_s_own_page_is_linked_if_there_is_one(self, ada: UserSnapshot) -> None:
        mine = Bus()
        Container(replace(settings.ENV, password_reset_url="https://app.example.com/#/new/{token}")).wire(mine)
        letter = mine.ask(WriteReset(ada.email))
        assert letter
        assert letter.link.startswith("https://app.example.com/#/new/eyJ")


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_confirm_at_once_one_wins(ada: UserSnapshot, mailed: str) -> None:
    answers = at_once(8, lambda number: confirm(mailed, f"the phrase of number {number}").status_code)
    assert sorted(map(str, answers)) == ["204"] + ["401"] * 7
    assert OutboxEvent.objects.filter(type="internal.password_changed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_racing_requests_make_no_more_mails(ada: UserSnapshot) -> None:
    answers = at_once(8, lambda _: APIClient().post(ASK, {"email": "ada@example.com"}).status_code)
    assert answers == [202] * 8
    assert OutboxEvent.objects.filter(type="internal.password_reset_requested").count() == 3
