"""A SECRET_KEY is replaced and nobody is logged out, here or in the admin: each kind of token, link and cookie."""

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
from apps.users.commands import UserSnapshot
from apps.users.letters import WriteReset
from tests.conftest import PASSWORD
from tests.core.keys import LOST, NEW, OLD, with_keys

Register = Callable[..., UserSnapshot]


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
    (admin_log_in, False),
    (admin_message, False),
    (admin_form, True),
    (failed_log_ins, True),
]


@pytest.mark.django_db
@pytest.mark.usefixtures("early_in_a_minute")
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
