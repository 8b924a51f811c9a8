"""A SECRET_KEY is replaced without anybody noticing, and then the old one can be removed."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.management import call_command
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from apps.core import key_rotation
from apps.core.api import idempotency
from apps.core.bus import Bus, bus
from apps.core.crypto import Box, Unreadable
from apps.core.key_rotation import RotateKeys
from apps.core.models import IdempotentAnswer
from apps.events.relay import fan_out
from apps.profiles.commands import ForgetPerson, Person
from apps.users import totp
from apps.users.commands import DeleteUser, UserSnapshot
from apps.users.letters import WriteReset
from apps.users.models import SecondFactor, User
from config.container import Container
from tests.conftest import PASSWORD

OLD, NEW, LOST = settings.ENV.secret_key, "n" * 40, "l" * 40
Register = Callable[..., UserSnapshot]


@contextmanager
def with_keys(secret_key: str, *fallbacks: str) -> Iterator[None]:
    """The service as it is after a restart with these keys."""
    env = dataclasses.replace(settings.ENV, secret_key=secret_key, secret_key_fallbacks=fallbacks)
    restarted, before = Bus(), bus._handlers
    Container(env).wire(restarted)
    idempotency._box.cache_clear()
    with override_settings(ENV=env, SECRET_KEY=secret_key, SECRET_KEY_FALLBACKS=list(fallbacks)):
        bus._handlers = restarted._handlers
        try:
            yield
        finally:
            bus._handlers = before
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


@dataclasses.dataclass
class World:
    """Who acts in the table below."""

    anyone: APIClient
    staff: APIClient
    register: Register

    def browser(self) -> Client:
        """A browser that is logged in to the admin."""
        self.register("root@example.com", password=PASSWORD, is_staff=True)
        browser = Client()
        browser.post("/admin/login/?next=/admin/", {"username": "root@example.com", "password": PASSWORD})
        return browser


Works = Callable[[], bool]
EMAIL = {"email": "ada@example.com", "name": "Ada"}


def access_token(world: World) -> Works:
    return lambda: world.staff.get("/api/v1/users/me").status_code == 200


def refresh_token(world: World) -> Works:
    world.register("ada@example.com", password=PASSWORD)
    pair = world.anyone.post("/api/v1/auth/token", {"email": "ada@example.com", "password": PASSWORD}).json()

    def works() -> bool:
        answer = world.anyone.post("/api/v1/auth/token/refresh", {"refresh": pair["refresh"]})
        return bool(answer.status_code == 200)

    return works


def link_in_a_mail(world: World) -> Works:
    user = world.register("ada@example.com", password=PASSWORD)
    letter = bus.ask(WriteReset(user.email))
    assert letter
    token = re.split(r"[/#=]", letter.link)[-1]

    def works() -> bool:
        given = {"token": token, "password": "quite another phrase"}
        return bool(world.anyone.post("/api/v1/auth/password-reset/confirm", given).status_code == 204)

    return works


def cursor_of_a_list(world: World) -> Works:
    world.register()
    cursor = world.staff.get("/api/v1/users?limit=1").json()["next"]
    return lambda: world.staff.get("/api/v1/users", {"cursor": cursor}).status_code == 200


def cursor_of_the_feed(world: World) -> Works:
    fan_out()
    cursor = world.staff.get("/api/v1/events").json()["next"]
    return lambda: world.staff.get("/api/v1/events", {"cursor": cursor}).status_code == 200


def admin_log_in(world: World) -> Works:
    browser = world.browser()
    return lambda: browser.get("/admin/").status_code == 200


def admin_message(world: World) -> Works:
    browser, ada = world.browser(), world.register()
    selected = {"action": "deactivate", "_selected_action": [ada.id], "post": "yes"}
    assert browser.post("/admin/users/user/", selected).cookies["messages"].value

    def works() -> bool:
        # the cookie alone: whether it is read, not whether the log-in still holds
        request = RequestFactory().get("/admin/")
        request.COOKIES["messages"] = browser.cookies["messages"].value
        return bool(list(CookieStorage(request)))

    return works


def admin_form(world: World) -> Works:
    world.register("root@example.com", password=PASSWORD, is_staff=True)
    browser = Client(enforce_csrf_checks=True)
    token = browser.get("/admin/login/").context["csrf_token"]
    form = {"username": "root@example.com", "password": PASSWORD, "csrfmiddlewaretoken": str(token)}
    return lambda: browser.post("/admin/login/?next=/admin/", form).status_code == 302


def kept_answer(world: World) -> Works:
    first = world.anyone.post("/api/v1/users", EMAIL, headers={"Idempotency-Key": "k1"})

    def works() -> bool:
        again = world.anyone.post("/api/v1/users", EMAIL, headers={"Idempotency-Key": "k1"})
        return bool(again.content == first.content)

    return works


def failed_log_ins(world: World) -> Works:
    credentials = {"email": "ada@example.com", "password": "wrong"}
    for _ in range(settings.ENV.login_rate_limit_per_minute):
        world.anyone.post("/api/v1/auth/token", credentials)
    return lambda: world.anyone.post("/api/v1/auth/token", credentials).status_code == 429


def forgetting_a_cached_person(world: World) -> Works:
    known = Container(settings.ENV).known_people
    token = known.claim("ada@example.com") or ""
    known.keep("ada@example.com", Person("Ada", "", ""), token)
    return lambda: bus.execute(ForgetPerson("ada@example.com"))


# what is made under the old key, and whether the new one alone can do with it
KINDS: list[tuple[Callable[[World], Works], bool]] = [
    (access_token, False),
    (refresh_token, True),
    (link_in_a_mail, False),
    (cursor_of_a_list, False),
    (cursor_of_the_feed, False),
    (admin_log_in, False),
    (admin_message, False),
    (admin_form, True),
    (kept_answer, False),
    (failed_log_ins, True),
    (forgetting_a_cached_person, False),
]


@pytest.mark.django_db
class TestEachKind:
    """What was made under the old key is used under the new one."""

    @pytest.fixture
    def world(self, anyone: APIClient, staff: APIClient, register: Register) -> World:
        return World(anyone, staff, register)

    @pytest.mark.parametrize("make", [make for make, _ in KINDS], ids=lambda make: make.__name__)
    def test_it_works_while_the_old_key_is_a_fallback(self, make: Callable[[World], Works], world: World) -> None:
        works = make(world)
        with with_keys(NEW, LOST, OLD):
            assert works()

    @pytest.mark.parametrize(("make", "needs_no_key"), KINDS, ids=[make.__name__ for make, _ in KINDS])
    def test_without_it_only_what_needs_no_key_works(
        self, make: Callable[[World], Works], needs_no_key: bool, world: World
    ) -> None:
        works = make(world)
        with with_keys(NEW):
            assert works() == needs_no_key

    def test_what_is_touched_is_encrypted_anew(self, world: World) -> None:
        works = kept_answer(world)
        with with_keys(NEW, OLD):
            assert works()
        with with_keys(NEW):
            assert works()


@pytest.mark.django_db
class TestRotation:
    """manage.py rotate_keys."""

    def factor(self, key: str) -> SecondFactor:
        user = User.objects.create(email=f"{User.objects.count()}@example.com", name="Ada")
        return SecondFactor.objects.create(user=user, secret=Box(key, totp.PURPOSE).close("a secret"))

    def test_everything_is_encrypted_anew_and_the_old_key_can_go(
        self, anyone: APIClient, register: Register, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ada, key = {"email": "ada@example.com", "name": "Ada"}, {"Idempotency-Key": "k1"}
        first = anyone.post("/api/v1/users", ada, headers=key)
        factor = self.factor(OLD)
        bus.execute(DeleteUser(register("eve@example.com").id))
        with with_keys(NEW, OLD):
            said = rotate(capsys)
            assert counts(said) == {
                "idempotent answers": (1, []),
                "webhook secrets": (0, []),
                "previous webhook secrets": (0, []),
                "second factors": (1, []),
                "people who are being erased": (1, []),
            }
            assert (said["old_keys"], said["old_keys_can_go"], said["status"]) == (1, True, 0)
            factor.refresh_from_db()
            assert Box(NEW, totp.PURPOSE).open(factor.secret) == "a secret"
            assert {renewed for renewed, _ in counts(rotate(capsys)).values()} == {0}, "a second time it finds nothing"
        with with_keys(NEW):
            assert anyone.post("/api/v1/users", ada, headers=key).content == first.content

    def test_what_no_key_opens_is_named_and_stops_nothing_else(self, capsys: pytest.CaptureFixture[str]) -> None:
        lost, good = self.factor(LOST), self.factor(OLD)
        with with_keys(NEW, OLD):
            said = rotate(capsys)
            assert counts(said)["second factors"] == (1, [lost.pk])
            assert (said["old_keys_can_go"], said["status"]) == (False, 3)
            with pytest.raises(SystemExit):
                call_command("rotate_keys")
            assert "The old keys must stay" in capsys.readouterr().out
        good.refresh_from_db()
        assert Box(NEW, totp.PURPOSE).open(good.secret) == "a secret"

    def test_killed_in_the_middle_it_goes_on_where_it_is_run_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for _ in range(5):
            self.factor(OLD)
        monkeypatch.setattr(key_rotation, "BATCH", 2)
        renew, left = Box.renew, iter(range(3))

        def until_it_dies(box: Box, closed: str) -> str | None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return renew(box, closed)

        with with_keys(NEW, OLD):
            with monkeypatch.context() as patch:
                patch.setattr(Box, "renew", until_it_dies)
                with pytest.raises(KeyboardInterrupt):
                    bus.execute(RotateKeys())
            done = {one.what: one.renewed for one in bus.execute(RotateKeys())}
        assert done["second factors"] == 2, "three were done before"
        renewed = [Box(NEW, totp.PURPOSE).open(row.secret) for row in SecondFactor.objects.all()]
        assert renewed == ["a secret"] * 5

    def test_of_many_that_no_key_opens_the_first_are_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(key_rotation, "NAMED", 2)
        ids = sorted(self.factor(LOST).pk for _ in range(5))
        with with_keys(NEW, OLD):
            said = rotate(capsys)
        (row,) = [row for row in said["rotated"] if row["what"] == "second factors"]
        assert (row["lost"], row["unreadable"]) == (5, ids[:2])
        assert (said["old_keys_can_go"], said["old_keys_can_go_at"]) == (False, None)

    def test_it_says_when_the_old_key_can_go(self, capsys: pytest.CaptureFixture[str]) -> None:
        with with_keys(NEW, OLD):
            said = rotate(capsys)
            call_command("rotate_keys")
        runs_out = {one["what"]: one["seconds"] for one in said["signed"]}
        minutes = settings.ACCESS_TOKEN_EXPIRE_MINUTES
        assert (
            runs_out.items() >= {"cursors": None, "access tokens": minutes * 60, "log-ins to the admin": 43200}.items()
        )
        longest = max(seconds for seconds in runs_out.values() if seconds)
        left = datetime.fromisoformat(said["old_keys_can_go_at"]) - timezone.now()
        assert longest - 60 < left.total_seconds() <= longest
        assert "empty SECRET_KEY_FALLBACKS after" in capsys.readouterr().out

    def test_a_secret_that_changes_meanwhile_is_left_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row = self.factor(OLD)
        newer = Box(NEW, totp.PURPOSE).close("a newer secret")
        renew = Box.renew

        def while_it_works(box: Box, closed: str) -> str | None:
            SecondFactor.objects.update(secret=newer)
            return renew(box, closed)

        monkeypatch.setattr(Box, "renew", while_it_works)
        with with_keys(NEW, OLD):
            done = {one.what: one.renewed for one in bus.execute(RotateKeys())}
        row.refresh_from_db()
        assert (row.secret, done["second factors"]) == (newer, 0)

    def test_an_answer_that_no_key_opens_is_a_conflict_and_no_error(self, anyone: APIClient) -> None:
        ada, key = {"email": "ada@example.com", "name": "Ada"}, {"Idempotency-Key": "k1"}
        anyone.post("/api/v1/users", ada, headers=key)
        with with_keys(NEW):
            answer = anyone.post("/api/v1/users", ada, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_answer_lost")
        assert IdempotentAnswer.objects.count() == 1
