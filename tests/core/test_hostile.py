"""Attacks of a hostile client that once worked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.users.commands import IssueToken, RegisterUser, UpdateUser, UserSnapshot
from apps.users.models import User
from tests import loopback
from tests.processes import Processes

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
def test_an_empty_form_is_no_change(staff: APIClient, register: Callable[..., UserSnapshot], kind: str) -> None:
    user = register()
    answer = staff.generic("PATCH", f"/api/v1/users/{user.id}", "", content_type=kind)
    assert answer.status_code in (400, 415)
    assert User.objects.get(id=user.id).is_active


def test_a_chunked_body_is_refused_and_not_taken_for_an_empty_one(processes: Processes) -> None:
    def pieces() -> list[bytes]:
        return [b'{"email":"a@example.com",', b'"name":"A"}']

    web = processes.web()
    answer = loopback.post(
        f"{web.url}/api/v1/users",
        content=iter(pieces()),
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


def test_rows_are_read_through_a_cursor_on_the_server(register: Callable[..., UserSnapshot]) -> None:
    register()
    assert [user.created_at.tzinfo is not None for user in User.objects.iterator()] == [True]


@pytest.fixture
def admin() -> Client:
    """The admin, logged in."""
    bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True))
    client = Client()
    assert client.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
    return client


@pytest.mark.parametrize(
    "address",
    [
        "profiles/profile/?enriched_at__year=99999",
        "users/user/?created_at__year=0",
        "users/user/?email__regex=[",
        "users/user/?id__range=1",
        "jobs/job/?status__exact=%00",
        "users/user/?password__startswith=argon2",
        "webhooks/endpoint/?secret__startswith=x",
    ],
)
def test_an_address_of_the_admin_that_makes_no_sense_is_no_error_and_no_oracle(admin: Client, address: str) -> None:
    answer = admin.get(f"/admin/{address}")
    assert answer.status_code in (302, 400)


@pytest.mark.parametrize(
    "page",
    [
        "events/delivery",
        "jobs/job",
        "webhooks/endpoint",
        "webhooks/webhookdelivery",
    ],
)
@pytest.mark.parametrize("key", ["abc", "\0", "1"])
def test_an_action_on_a_key_that_is_none_is_no_error(admin: Client, page: str, key: str) -> None:
    for action in ("replay", "cancel", "run_again", "rotate", "send_again"):
        answer = admin.post(f"/admin/{page}/", {"action": action, "_selected_action": [key]})
        assert answer.status_code in (200, 302)


def test_options_of_the_documentation(anyone: APIClient) -> None:
    assert anyone.options("/api/docs").status_code == 405


def test_answers_without_a_body_describe_none(staff: APIClient, register: Callable[..., UserSnapshot]) -> None:
    address = f"/api/v1/users/{register().id}"
    tag = staff.get(address)["ETag"]
    unchanged = staff.get(address, headers={"If-None-Match": tag})
    assert unchanged.status_code == 304
    assert not {"Content-Type", "Content-Length"} & set(unchanged.headers)


def test_preconditions_hold_for_every_method(staff: APIClient, register: Callable[..., UserSnapshot]) -> None:
    address = f"/api/v1/users/{register().id}"
    tag = staff.get(address)["ETag"]
    assert staff.get(address, headers={"If-Match": '"other"'}).status_code == 412
    assert staff.patch(address, {"name": "X"}, headers={"If-None-Match": tag}).status_code == 412
    assert staff.patch(address, {"name": "X"}, headers={"If-None-Match": '"other"'}).status_code == 200


def test_an_operator_s_token_does_not_come_back_with_its_user(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]
) -> None:
    user = register()
    client = client_of(user)
    assert client.get("/api/v1/users/me").status_code == 200
    for is_active in (False, True):
        bus.execute(UpdateUser(user.id, is_active=is_active))
        assert client.get("/api/v1/users/me").status_code == 401
    assert bus.execute(IssueToken(user.email))


def test_the_instance_of_a_problem_is_a_reference_to_this_service(anyone: APIClient) -> None:
    assert anyone.get("/api/v1/a%20b").json()["instance"] == "/api/v1/a%20b"


@pytest.mark.parametrize(
    "limit", ["0", "-1", "101", "000001999999", "000001" + "9" * 5000, "1e1", "\uff11\uff10", "+1", "", " 1"]
)
def test_a_limit_is_a_number_from_1_to_100(staff: APIClient, limit: str) -> None:
    for path in (
        "/api/v1/users",
        "/api/v1/events",
        "/api/v1/webhooks",
    ):
        answer = staff.get(path, {"limit": limit})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/limit"), path


def test_a_compressed_body_is_refused(anyone: APIClient) -> None:
    body = {"email": "new@example.com", "name": "New"}
    answer = anyone.post("/api/v1/users", body, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert anyone.post("/api/v1/users", body, headers={"Content-Encoding": "identity"}).status_code == 201


def test_the_token_of_whoever_is_gone_is_no_use_where_none_is_needed(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]
) -> None:
    user = register()
    client = client_of(user)
    assert client.post("/api/v1/users", {"email": "one@example.com", "name": "One"}).status_code == 201
    bus.execute(UpdateUser(user.id, is_active=False))
    assert client.post("/api/v1/users", {"email": "two@example.com", "name": "Two"}).status_code == 401


@pytest.mark.parametrize(
    "email", ["\u017fam@example.com", "\u212aat@example.com", "a@ex\u00e4mple.com", "a@example\u3002com"]
)
def test_one_mailbox_has_one_spelling(anyone: APIClient, email: str) -> None:
    answer = anyone.post("/api/v1/users", {"email": email, "name": "New"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/email")
