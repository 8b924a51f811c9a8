"""POST /auth/email/undo: the old address takes a change back, for 72 hours."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.users.account_commands import PruneEmailChanges
from apps.users.commands import SetPassword, UserSnapshot
from apps.users.letters import WriteUndo
from apps.users.models import EmailChange, User
from tests.conftest import PASSWORD
from tests.users.email_change.changing import OLD, OTHER, Register, change, confirm, email, undo
from tests.users.letters import post, subjects, token
from tests.users.test_own_password import NEW, logged_in

pytestmark = pytest.mark.django_db


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
