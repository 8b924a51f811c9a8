"""A SECRET_KEY is replaced without anybody noticing, and then the old one can be removed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.crypto import Box, Unreadable
from apps.core.models import IdempotentAnswer
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot
from apps.users.letters import WriteReset
from tests.conftest import PASSWORD
from tests.core.keys import LOST, NEW, OLD, with_keys

Register = Callable[..., UserSnapshot]


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

    def test_an_answer_that_no_key_opens_is_a_conflict_and_no_error(self, anyone: APIClient) -> None:
        ada, key = {"email": "ada@example.com", "name": "Ada"}, {"Idempotency-Key": "k1"}
        anyone.post("/api/v1/users", ada, headers=key)
        with with_keys(NEW):
            answer = anyone.post("/api/v1/users", ada, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_answer_lost")
        assert IdempotentAnswer.objects.count() == 1
