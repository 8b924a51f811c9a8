"""POST /auth/email: an address changes when the new one is confirmed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events.models import OutboxEvent
from apps.users.commands import SetPassword, UserSnapshot
from apps.users.models import EmailChange, User
from tests.conftest import PASSWORD
from tests.core.racing import at_once
from tests.users.email_change.changing import OLD, OTHER, Register, change, confirm, email, undo
from tests.users.letters import link, post, subjects, token
from tests.users.test_own_password import NEW, logged_in
from tests.users.test_verification import verification

pytestmark = pytest.mark.django_db


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
