"""Passwords: the same however they are spelt (RFC 8265), and never the user's own name, at every entrance."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.errors import Invalid
from apps.users import passwords
from apps.users.commands import SetPassword, UserSnapshot
from apps.users.models import Session, User

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]
# é composed and decomposed, a no-break space and an ideographic one for a space
COMPOSED, APART, SPACED = "caf\u00e9 au lait chaud", "cafe\u0301 au lait chaud", "caf\u00e9\u00a0au\u3000lait chaud"
SPELLINGS = [COMPOSED, APART, SPACED]


def log_in(password: str, email: str = "ada@example.com") -> int:
    return int(APIClient().post("/api/v1/auth/token", {"email": email, "password": password}).status_code)


def log_in_to_the_admin(password: str) -> int:
    form = {"username": "ada@example.com", "password": password, "next": "/admin/"}
    return int(Client().post("/admin/login/", form).status_code)


def by_the_api(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"email": "ada@example.com", "name": "Ada Lovelace", "password": password}
    assert APIClient().post("/api/v1/users", body).status_code == 201
    User.objects.update(is_staff=True)


def by_command(name: str) -> Callable[[str, pytest.MonkeyPatch], None]:
    def make(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        words = ["--staff"] if name == "create_user" else []
        call_command(name, "ada@example.com", "--name", "Ada Lovelace", "--password-stdin", *words)

    return make


def by_changing_it(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by_command("create_user")("something else before", monkeypatch)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    call_command("changepassword", "ADA@example.com")


def in_the_admin(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by_command("create_user")("something else before", monkeypatch)
    browser = Client()
    assert browser.login(username="ada@example.com", password="something else before")
    form = {"old_password": "something else before", "new_password1": password, "new_password2": password}
    assert browser.post("/admin/password_change/", form).status_code == 302


ENTRANCES = [by_the_api, by_command("create_user"), by_command("createsuperuser"), by_changing_it, in_the_admin]
NAMES = ["api", "create_user", "createsuperuser", "changepassword", "admin"]


@pytest.mark.parametrize("make", ENTRANCES, ids=NAMES)
@pytest.mark.parametrize("kept", SPELLINGS, ids=["composed", "apart", "spaces"])
def test_every_spelling_is_the_same_password(
    make: Callable[[str, pytest.MonkeyPatch], None], kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(kept, monkeypatch)
    assert [log_in(typed) for typed in SPELLINGS] == [200] * 3
    assert [log_in_to_the_admin(typed) for typed in SPELLINGS] == [302] * 3
    assert log_in(COMPOSED.upper()) == log_in(COMPOSED.replace("\u00e9", "e")) == 401, "nothing else is mapped"


def test_a_hash_of_before_still_fits_what_was_typed(register: Register) -> None:
    register()
    User.objects.update(password=make_password(APART))
    assert log_in(APART) == 200


def test_an_unknown_email_takes_as_long_for_a_password_with_two_spellings(register: Register) -> None:
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
        register(password=COMPOSED)

        def seconds(email: str) -> float:
            # of this process, whatever else the machine does
            start = time.process_time()
            assert log_in(APART + "!", email) == 401
            return time.process_time() - start

        known = min(seconds("ada@example.com") for _ in range(3))
        unknown = min(seconds("nobody@example.com") for _ in range(3))
    assert 0.5 < unknown / known < 2


@pytest.mark.parametrize("password", ["Ada Lovelace", "ada\u00a0lovelace", "lovelace1", "ada@example.com"])
def test_a_password_like_the_name_or_the_email_is_refused(
    password: str, register: Register, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"email": "ada@example.com", "name": "Ada Lovelace", "password": password}
    refused = APIClient().post("/api/v1/users", body)
    assert [one["code"] for one in refused.json()["errors"]] == ["password_too_similar"]
    for name in ("create_user", "createsuperuser"):
        with pytest.raises(CommandError, match="too similar"):
            by_command(name)(password, monkeypatch)

    boss = register("boss@example.com", "Boss", password="correct horse battery", is_staff=True)
    browser = Client()
    assert browser.login(username=boss.email, password="correct horse battery")
    added = browser.post("/admin/users/user/add/", body)
    assert "too similar" in str(added.context["adminform"].form.errors["password"])
    assert User.objects.count() == 1

    ada = register("ada@example.com", "Ada Lovelace")
    with pytest.raises(Invalid, match="too similar"):
        bus.execute(SetPassword(ada.id, password))
    User.objects.filter(id=boss.id).update(name="Ada Lovelace", email="ada@example.org")
    form = {"old_password": "correct horse battery", "new_password1": password, "new_password2": password}
    assert "too similar" in str(browser.post("/admin/password_change/", form).context["form"].errors)


def test_a_name_spelt_another_way_is_the_name(register: Register) -> None:
    with pytest.raises(Invalid, match="too similar to the name"):
        register(name="Zo\u0065\u0308 Fran\u0063\u0327ois", password="zo\u00eb fran\u00e7ois")


def test_changepassword_ends_every_login(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = register(password="something else before")
    assert log_in("something else before") == 200
    monkeypatch.setattr("sys.stdin", io.StringIO("a new pass phrase\n"))
    call_command("changepassword", ada.email)
    assert not Session.objects.filter(revoked_at=None).exists()
    with pytest.raises(CommandError, match="no user with the e-mail nobody"):
        call_command("changepassword", "nobody@example.com")


def test_preparing_twice_changes_nothing_more() -> None:
    for spelling in SPELLINGS:
        once = passwords.prepared(spelling)
        assert passwords.prepared(once) == once == COMPOSED
