"""POST /auth/email: an address changes when the new one is confirmed, and the old one can undo it for 72 hours."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db.models import F
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events.models import OutboxEvent
from apps.users.account_commands import PruneEmailChanges
from apps.users.commands import SetPassword, UserSnapshot
from apps.users.letters import WriteUndo
from apps.users.models import EmailChange, User
from tests.conftest import PASSWORD
from tests.core.racing import at_once
from tests.users.letters import link, post, subjects, token
from tests.users.test_account_pages import fields
from tests.users.test_own_password import NEW, logged_in
from tests.users.test_verification import verification

pytestmark = pytest.mark.django_db
CHANGE, VERIFY, UNDO = "/api/v1/auth/email", "/api/v1/auth/email-verification", "/api/v1/auth/email/undo"
OLD, OTHER = "ada@example.com", "ada@example.org"
Register = Callable[..., UserSnapshot]


@pytest.fixture
def ada(register: Register) -> UserSnapshot:
    """A user with a password."""
    return register(OLD, password=PASSWORD)


def change(client: APIClient, email: str = OTHER, password: str = PASSWORD, **more: Any) -> Any:
    return client.post(CHANGE, {"email": email, "password": password}, **more)


def confirm(given: str) -> Any:
    return APIClient().post(VERIFY, {"token": given})


def undo(given: str) -> Any:
    return APIClient().post(UNDO, {"token": given})


@pytest.fixture
def asked(ada: UserSnapshot) -> str:
    """The token in the mail to the new address."""
    assert change(logged_in()).status_code == 202
    post()
    return token(OTHER)


@pytest.fixture
def changed(asked: str) -> str:
    """The token in the mail to the old address."""
    assert confirm(asked).status_code == 204
    post()
    return token(OLD)


def email() -> str:
    """Ada's address."""
    return User.objects.order_by("id").first().email  # type: ignore[union-attr] # she is there


class TestChange:
    """From the wish to the confirmation."""

    def test_nothing_changes_before_the_new_address_is_confirmed(self, asked: str) -> None:
        assert email() == OLD
        assert link(OTHER) == f"http://localhost:8000/account/email-change?token={asked}"
        assert subjects(OLD) == []
        answer = confirm(asked)
        assert (answer.status_code, answer.content) == (204, b"")
        user = User.objects.get()
        assert (user.email, user.email_verified_at is not None, user.version) == (OTHER, True, 2)
        assert "example.org" in user.search
        event = OutboxEvent.objects.get(type="user.updated")
        assert (event.data["email"], event.data["version"]) == (OTHER, 2)
        client = APIClient()
        assert client.post("/api/v1/auth/token", {"email": OTHER, "password": PASSWORD}).status_code == 200
        assert client.post("/api/v1/auth/token", {"email": OLD, "password": PASSWORD}).status_code == 401

    def test_the_old_address_is_told_of_the_new_one(self, changed: str) -> None:
        assert subjects(OLD) == ["Your address was changed"]
        assert link(OLD) == f"http://localhost:8000/account/email-undo?token={changed}"
        assert OTHER in str(mail.outbox[-1].body)

    def test_whoever_does_not_know_the_password_changes_nothing(self, ada: UserSnapshot) -> None:
        client = logged_in()
        answer = change(client, password="wrong")
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_password")
        assert [change(client, password="wrong").status_code for _ in range(10)] == [403] * 9 + [429]
        assert change(APIClient()).status_code == 401
        post()
        assert subjects(OTHER) == []

    @pytest.mark.parametrize("given", [OLD, "nobody", "", "a@b\nBcc: c@example.com"])
    def test_what_cannot_be_an_address_or_is_the_same_is_400(self, ada: UserSnapshot, given: str) -> None:
        assert change(logged_in(), given).json()["errors"][0]["pointer"] == "/email"

    def test_whether_an_address_is_taken_is_told_to_nobody_but_its_owner(
        self, ada: UserSnapshot, register: Register
    ) -> None:
        register(OTHER)
        free, taken = change(logged_in(), "free@example.org"), change(logged_in())
        assert (free.status_code, free.content) == (taken.status_code, taken.content) == (202, b"")
        post()
        answer = confirm(token(OTHER))
        assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
        assert email() == OLD

    def test_a_few_mails_an_hour_of_one_user_and_to_one_address(self, ada: UserSnapshot, register: Register) -> None:
        client = logged_in()
        assert [change(client).status_code for _ in range(4)] == [202] * 3 + [429]
        others = [change(client, f"new{number}@example.org").status_code for number in range(3)]
        assert others == [202] * 2 + [429]
        register("eve@example.com", password=PASSWORD)
        eve = APIClient().post("/api/v1/auth/token", {"email": "eve@example.com", "password": PASSWORD}).json()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {eve['access']}")
        refused = change(client)
        assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)

    def test_only_the_letter_case_may_change(self, ada: UserSnapshot) -> None:
        assert change(logged_in(), "Ada@example.com").status_code == 202
        post()
        assert confirm(token("Ada@example.com")).status_code == 204
        assert email() == "Ada@example.com"

    def test_the_link_works_once(self, asked: str) -> None:
        assert confirm(asked).status_code == 204
        assert confirm(asked).status_code == 401

    @pytest.mark.parametrize(
        "happens",
        [
            lambda: bus.execute(SetPassword(User.objects.get().id, NEW)),
            lambda: User.objects.update(email="third@example.com"),
            lambda: User.objects.update(is_active=False),
            lambda: User.objects.all().delete(),
            lambda: EmailChange.objects.all().delete(),
        ],
        ids=["another password", "another address", "deactivated", "gone", "forgotten"],
    )
    def test_it_is_dead_after(self, asked: str, happens: Callable[[], object]) -> None:
        happens()
        assert confirm(asked).status_code == 401

    def test_of_two_changes_the_first_that_is_confirmed_is_made(self, asked: str) -> None:
        assert change(logged_in(), "third@example.org").status_code == 202
        post()
        assert confirm(token("third@example.org")).status_code == 204
        assert confirm(asked).status_code == 401
        assert email() == "third@example.org"

    def test_a_link_that_verified_the_old_address_is_dead(self, ada: UserSnapshot) -> None:
        post()
        welcome = token(OLD)
        change(logged_in())
        post()
        assert confirm(token(OTHER)).status_code == 204
        assert confirm(welcome).status_code == 401

    def test_other_links_neither_change_nor_undo(self, asked: str) -> None:
        assert undo(asked).status_code == 401
        given = {"token": asked, "password": NEW}
        assert APIClient().post("/api/v1/auth/password-reset/confirm", given).status_code == 401
        assert confirm(asked).status_code == 204
        post()
        assert confirm(token(OLD)).status_code == 401

    def test_no_event_holds_a_token_or_an_address_of_the_change(self, changed: str, asked: str) -> None:
        events = OutboxEvent.objects.filter(type__startswith="internal.email_")
        assert [set(event.data) for event in events] == [{"user_id", "change_id"}] * 2
        everything = json.dumps(list(OutboxEvent.objects.values_list("data", flat=True)))
        assert not [secret for secret in (changed, asked) if secret in everything]

    def test_required_the_new_address_counts_as_verified(self, changed: str) -> None:
        with verification("required"):
            credentials = {"email": OTHER, "password": PASSWORD}
            assert APIClient().post("/api/v1/auth/token", credentials).status_code == 200


class TestUndo:
    """From the old address, for 72 hours."""

    def test_the_address_comes_back_and_everything_of_the_thief_ends(self, ada: UserSnapshot, asked: str) -> None:
        thief = logged_in()
        assert confirm(asked).status_code == 204
        post()
        assert thief.get("/api/v1/users/me").status_code == 200
        answer = undo(token(OLD))
        assert (answer.status_code, answer.content) == (204, b"")
        assert email() == OLD
        assert thief.get("/api/v1/users/me").status_code == 401
        for address in (OLD, OTHER):
            credentials = {"email": address, "password": PASSWORD}
            assert APIClient().post("/api/v1/auth/token", credentials).status_code == 401
        post()
        assert subjects(OLD)[-1] == "Your address is yours again"
        given = {"token": token(OLD), "password": NEW}
        assert APIClient().post("/api/v1/auth/password-reset/confirm", given).status_code == 204
        logged_in(NEW)

    def test_it_works_once(self, changed: str) -> None:
        assert undo(changed).status_code == 204
        assert undo(changed).status_code == 401

    def test_it_works_for_72_hours(self, changed: str) -> None:
        for hours, status in ((73, 401), (72, 401), (71, 204)):
            EmailChange.objects.update(confirmed_at=F("requested_at") - timedelta(hours=hours))
            undoing = bus.ask(WriteUndo(EmailChange.objects.get().pk))
            assert undoing
            assert undo(undoing.letter.link.partition("token=")[2]).status_code == status

    def test_what_the_thief_does_next_does_not_stop_it(self, changed: str) -> None:
        bus.execute(SetPassword(User.objects.get().id, NEW))
        thief = APIClient()
        pair = thief.post("/api/v1/auth/token", {"email": OTHER, "password": NEW}).json()
        thief.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
        assert change(thief, "third@example.net", NEW).status_code == 202
        post()
        assert confirm(token("third@example.net")).status_code == 204
        post()
        second = token(OTHER)
        assert undo(changed).status_code == 204
        assert email() == OLD
        assert undo(second).status_code == 401, "what came later is undone with it"

    def test_nor_does_registering_the_old_address_anew(self, changed: str, register: Register) -> None:
        squatter = register(OLD, "Somebody", password=NEW)
        assert undo(changed).status_code == 204
        assert email() == OLD
        other = User.objects.get(id=squatter.id)
        assert (other.email, other.is_active) == (f"user-{squatter.id}@taken-back.invalid", False)

    @pytest.mark.parametrize("who", [{"verified": True}, {"is_staff": True}])
    def test_unless_its_owner_showed_that_it_is_theirs(
        self, changed: str, register: Register, who: dict[str, bool]
    ) -> None:
        register(OLD, "Somebody", **who)
        answer = undo(changed)
        assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
        assert email() == OTHER

    def test_whoever_goes_back_themselves_is_not_undone_by_the_address_they_left(
        self, asked: str, changed: str
    ) -> None:
        client = APIClient()
        pair = client.post("/api/v1/auth/token", {"email": OTHER, "password": PASSWORD}).json()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
        assert change(client, OLD).status_code == 202
        post()
        assert confirm(token(OLD)).status_code == 204
        post()
        assert subjects(OTHER) == ["Confirm your new address"]
        assert undo(changed).status_code == 401
        assert confirm(asked).status_code == 401, "the link that was used once is what it was made for again"
        logged_in()

    def test_settled_changes_are_forgotten_and_no_others(self, changed: str) -> None:
        wish_again()
        EmailChange.objects.filter(confirmed_at=None).update(requested_at=F("requested_at") - timedelta(hours=24))
        assert bus.execute(PruneEmailChanges()) == 0
        EmailChange.objects.filter(confirmed_at=None).update(requested_at=F("requested_at") - timedelta(hours=2))
        assert bus.execute(PruneEmailChanges()) == 1
        EmailChange.objects.update(confirmed_at=F("confirmed_at") - timedelta(hours=72))
        assert bus.execute(PruneEmailChanges()) == 1
        assert undo(changed).status_code == 401


def wish_again() -> None:
    """Ada, under her new address, wants yet another one."""
    client = APIClient()
    pair = client.post("/api/v1/auth/token", {"email": OTHER, "password": PASSWORD}).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    assert change(client, "third@example.net").status_code == 202


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


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("act", "which"), [(confirm, "asked"), (undo, "changed")])
def test_of_eight_at_once_one_wins(act: Callable[[str], Any], which: str, request: pytest.FixtureRequest) -> None:
    given = request.getfixturevalue(which)
    answers = at_once(8, lambda _: act(given).status_code)
    assert sorted(map(str, answers)) == ["204"] + ["401"] * 7


@pytest.mark.django_db(transaction=True)
def test_of_two_who_confirm_the_same_address_at_once_one_gets_it(register: Register) -> None:
    tokens = []
    for name in ("ada", "eve"):
        user = register(f"{name}@example.com", password=PASSWORD)
        client = APIClient()
        pair = client.post("/api/v1/auth/token", {"email": user.email, "password": PASSWORD}).json()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
        assert change(client).status_code == 202
        post()
        tokens.append(token(OTHER))
    answers = at_once(2, lambda number: confirm(tokens[number]).status_code)
    assert sorted(map(str, answers)) == ["204", "409"]
    assert User.objects.filter(email=OTHER).count() == 1
