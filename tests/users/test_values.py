"""What an e-mail address and a name must be, the same at every entrance; one mailbox is one account."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from apps.users.commands import UserSnapshot
from apps.users.imports import import_users
from apps.users.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
NO_MAILBOX = [
    '"a\u0001b"@example.com',
    '"a\tb"@example.com',
    '"a\\\u0001b"@example.com',
    '"a\u007fb"@example.com',
    '""@example.com',
    '" "@example.com',
    '"\\ "@example.com',
    "ada@[127.0.0.1]",
    "ada@[IPv6:::1]",
]
SHOW_NOTHING = {
    "hangul filler": "\u3164",
    "half-width filler": "\uffa0",
    "jamo fillers": "\u115f\u1160",
    "braille blank": "\u2800",
    "combining mark": "\u0301\u0308",
    "enclosing mark": "\u20dd",
    "vowel sign": "\u093f",
    "joiner": "\u200d",
    "grapheme joiner": "\u034f",
    "right-to-left override": "\u202e\u202c",
    "isolates": "\u2066\u2069",
    "arabic letter mark": "\u061c",
    "variation selector": "\ufe0f",
    "tag": "\U000e0041",
    "selector 17": "\U000e0100",
    "null notehead": "\U0001d159",
    "object replacement": "\ufffc",
    "no-break space": "\u00a0",
    "ideographic space": "\u3000",
}


def refused_everywhere(email: str, name: str, staff: APIClient, admin: Client) -> None:
    """The API, the command line, an import and the admin refuse it, and nobody is made."""
    before = User.objects.count()
    answer = staff.post("/api/v1/users", {"email": email, "name": name})
    assert answer.status_code == 400, answer.content
    with pytest.raises(CommandError):
        call_command("create_user", email, "--name", name)
    quoted = ",".join('"' + value.replace('"', '""') + '"' for value in (email, name))
    tally = import_users(io.BytesIO(f"email,name\n{quoted}\n".encode()), "text/csv")
    assert (tally.created, tally.rejected) == (0, 1)
    form = admin.post("/admin/users/user/add/", {"email": email, "name": name, "password": ""})
    assert form.status_code == 200, "the form comes back"
    assert User.objects.count() == before


@pytest.fixture
def admin(register: Callable[..., UserSnapshot]) -> Client:
    """The admin, logged in."""
    register("boss@example.com", "Boss", password=PASSWORD, is_staff=True)
    client = Client()
    assert client.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
    return client


@pytest.mark.parametrize("email", NO_MAILBOX)
def test_what_is_no_mailbox(staff: APIClient, admin: Client, email: str) -> None:
    refused_everywhere(email, "Ada", staff, admin)


@pytest.mark.parametrize("name", SHOW_NOTHING.values(), ids=SHOW_NOTHING)
def test_a_name_that_shows_nothing(staff: APIClient, admin: Client, name: str) -> None:
    refused_everywhere("ada@example.com", name, staff, admin)
    assert staff.patch("/api/v1/users/me", {"name": name}).json()["errors"][0]["pointer"] == "/name"


@pytest.mark.parametrize("name", ["Zoe\u0308", "\u0915\u093f\u0930\u0923", "\U0001f469\u200d\U0001f680", "-", "\u0661"])
def test_marks_and_joiners_belong_to_names(anyone: APIClient, name: str) -> None:
    assert anyone.post("/api/v1/users", {"email": "ada@example.com", "name": name}).json()["name"] == name


@pytest.mark.parametrize("spelling", ['"ada"@example.com', '"a\\da"@Example.COM', '"ADA"@example.com'])
def test_one_mailbox_is_one_account(anyone: APIClient, spelling: str) -> None:
    ada = {"email": "ada@example.com", "name": "Ada", "password": PASSWORD}
    assert anyone.post("/api/v1/users", ada).status_code == 201
    again = anyone.post("/api/v1/users", {"email": spelling, "name": "Ada"})
    assert (again.status_code, again.json()["code"]) == (409, "email_taken")
    assert (
        import_users(io.BytesIO(b'{"email": "\\"ada\\"@example.com", "name": "A"}'), "application/x-ndjson").created
        == 0
    )
    log_in = anyone.post("/api/v1/auth/token", {"email": spelling, "password": PASSWORD})
    assert log_in.status_code == 200


@pytest.mark.usefixtures("early_in_a_minute")
def test_and_has_one_count_of_failed_logins(anyone: APIClient, register: Callable[..., UserSnapshot]) -> None:
    register("ada@example.com", password=PASSWORD)
    spellings = ["ada", '"ada"', '"a\\da"', '"\\a\\d\\a"']
    limit = settings.ENV.login_rate_limit_per_minute
    for attempt in range(limit):
        wrong = {"email": f"{spellings[attempt % 4]}@example.com", "password": "wrong"}
        client_of_another_address = {"REMOTE_ADDR": f"10.0.{attempt}.1"}
        assert anyone.post("/api/v1/auth/token", wrong, **client_of_another_address).status_code == 401  # type: ignore[arg-type] # of the environment
    answer = anyone.post("/api/v1/auth/token", {"email": '"ad\\a"@example.com', "password": PASSWORD})
    assert answer.status_code == 429


def test_quotes_that_are_needed_stay(anyone: APIClient) -> None:
    kept = anyone.post("/api/v1/users", {"email": '"ada@\\king"@Example.com', "name": "Ada"})
    assert kept.json()["email"] == '"ada@king"@example.com'
