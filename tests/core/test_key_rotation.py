"""A SECRET_KEY is replaced without anybody noticing, and then the old one can be removed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from apps.core.api import idempotency
from apps.core.bus import Bus, bus
from apps.core.crypto import Box, Unreadable
from apps.core.key_rotation import RotateKeys
from apps.core.models import IdempotentAnswer
from apps.users import totp
from apps.users.commands import UserSnapshot
from apps.users.models import SecondFactor
from apps.users.queries import ReadToken
from apps.webhooks.models import Endpoint
from apps.webhooks.secrets import PURPOSE, SecretBox
from config.container import Container
from tests.conftest import PASSWORD

OLD, NEW, LOST = settings.ENV.secret_key, "n" * 40, "l" * 40
Register = Callable[..., UserSnapshot]


@contextmanager
def with_keys(secret_key: str, *fallbacks: str) -> Iterator[None]:
    """The service as it is after a restart with these keys."""
    env = dataclasses.replace(settings.ENV, secret_key=secret_key, secret_key_fallbacks=fallbacks)
    restarted = Bus()
    Container(env).wire(restarted)
    idempotency._box.cache_clear()
    with (
        override_settings(ENV=env, SECRET_KEY=secret_key, SECRET_KEY_FALLBACKS=list(fallbacks)),
        bus.replaced(ReadToken, restarted.ask),
        bus.replaced(RotateKeys, restarted.execute),
    ):
        yield
    idempotency._box.cache_clear()


def rotate(capsys: pytest.CaptureFixture[str]) -> Any:
    """What the command says, and its status."""
    capsys.readouterr()
    try:
        call_command("rotate_keys", "--json")
        status = 0
    except SystemExit as error:
        status = int(str(error.code))
    return json.loads(capsys.readouterr().out) | {"status": status}


def counts(said: Any) -> dict[str, tuple[int, list[Any]]]:
    return {row["what"]: (row["re_encrypted"], row["unreadable"]) for row in said["rotated"]}


class TestBox:
    """What is kept encrypted."""

    def test_an_old_key_opens_and_the_new_one_closes(self) -> None:
        closed = Box(OLD, "a").close("text")
        box = Box(NEW, "a", [OLD])
        assert box.open(closed) == "text"
        renewed = box.renew(closed)
        assert renewed is not None
        assert Box(NEW, "a").open(renewed) == "text"
        assert box.renew(renewed) is None

    def test_anything_else_is_unreadable(self) -> None:
        box = Box(NEW, "a", [OLD])
        for closed in ("", "nonsense", "é", Box(LOST, "a").close("x"), Box(OLD, "b").close("x")):
            for use in (box.open, box.renew):
                with pytest.raises(Unreadable):
                    use(closed)


@pytest.mark.django_db
class TestWhatIsSigned:
    """Tokens, cursors and sessions of the old key."""

    def test_they_go_on_to_work_while_the_old_key_is_a_fallback(
        self, staff: APIClient, register: Register, client: Client
    ) -> None:
        for number in range(3):
            register(f"user{number}@example.com")
        cursor = staff.get("/api/v1/users?limit=1").json()["next"]
        register("root@example.com", password=PASSWORD, is_staff=True)
        client.post("/admin/login/?next=/admin/", {"username": "root@example.com", "password": PASSWORD})

        def statuses() -> list[int]:
            page = staff.get("/api/v1/users", {"limit": 1, "cursor": cursor}).status_code
            return [staff.get("/api/v1/users/me").status_code, page, client.get("/admin/").status_code]

        assert statuses() == [200, 200, 200]
        with with_keys(LOST, NEW, OLD):
            assert statuses() == [200, 200, 200]
        with with_keys(NEW):
            assert statuses()[0] == 401


@pytest.mark.django_db
class TestRotation:
    """manage.py rotate_keys."""

    def endpoint(self, key: str, **more: Any) -> Endpoint:
        return Endpoint.objects.create(url="https://a.example.com", secret=SecretBox(key).close("whsec_x"), **more)

    def test_everything_is_encrypted_anew_and_the_old_key_can_go(
        self, anyone: APIClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        day = timezone.now() + timedelta(days=1)
        row = self.endpoint(OLD, previous_secret=SecretBox(OLD).close("whsec_y"), previous_secret_until=day)
        ada, key = {"email": "ada@example.com", "name": "Ada"}, {"Idempotency-Key": "k1"}
        first = anyone.post("/api/v1/users", ada, headers=key)
        closed = Box(OLD, totp.PURPOSE).close("a secret")
        factor = SecondFactor.objects.create(user_id=first.json()["id"], secret=closed)
        with with_keys(NEW, OLD):
            assert anyone.post("/api/v1/users", ada, headers=key).content == first.content
            said = rotate(capsys)
            assert counts(said) == {
                "idempotent answers": (1, []),
                "webhook secrets": (1, []),
                "previous webhook secrets": (1, []),
                "second factors": (1, []),
            }
            assert (said["old_keys"], said["old_keys_can_go"], said["status"]) == (1, True, 0)
            factor.refresh_from_db()
            assert Box(NEW, totp.PURPOSE).open(factor.secret) == "a secret"
            assert {renewed for renewed, _ in counts(rotate(capsys)).values()} == {0}, "a second time it finds nothing"
        with with_keys(NEW):
            assert anyone.post("/api/v1/users", ada, headers=key).content == first.content
        row.refresh_from_db()
        assert [SecretBox(NEW).open(it) for it in (row.secret, row.previous_secret)] == ["whsec_x", "whsec_y"]

    def test_what_no_key_opens_is_named_and_stops_nothing_else(self, capsys: pytest.CaptureFixture[str]) -> None:
        lost, good = self.endpoint(LOST), self.endpoint(OLD)
        out_of_use = {"previous_secret": SecretBox(LOST).close("whsec_z"), "previous_secret_until": timezone.now()}
        self.endpoint(NEW, **out_of_use)
        with with_keys(NEW, OLD):
            said = rotate(capsys)
            assert counts(said)["webhook secrets"] == (1, [lost.id])
            assert counts(said)["previous webhook secrets"] == (0, [])
            assert (said["old_keys_can_go"], said["status"]) == (False, 3)
            with pytest.raises(SystemExit):
                call_command("rotate_keys")
            assert "The old keys must stay" in capsys.readouterr().out
        good.refresh_from_db()
        assert Box(NEW, PURPOSE).open(good.secret) == "whsec_x"

    def test_a_secret_that_changes_meanwhile_is_left_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row = self.endpoint(OLD)
        newer = SecretBox(NEW).close("whsec_newer")
        renew = Box.renew

        def while_it_works(box: Box, closed: str) -> str | None:
            Endpoint.objects.update(secret=newer)
            return renew(box, closed)

        monkeypatch.setattr(Box, "renew", while_it_works)
        with with_keys(NEW, OLD):
            done = {one.what: one.renewed for one in bus.execute(RotateKeys())}
        row.refresh_from_db()
        assert (row.secret, done["webhook secrets"]) == (newer, 0)

    def test_an_answer_that_no_key_opens_is_a_conflict_and_no_error(self, anyone: APIClient) -> None:
        ada, key = {"email": "ada@example.com", "name": "Ada"}, {"Idempotency-Key": "k1"}
        anyone.post("/api/v1/users", ada, headers=key)
        with with_keys(NEW):
            answer = anyone.post("/api/v1/users", ada, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_answer_lost")
        assert IdempotentAnswer.objects.count() == 1
