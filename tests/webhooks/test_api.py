from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from apps.users.commands import UserSnapshot
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.sender import Sender
from tests.webhooks.receiver import Receiver

PUBLIC = "https://93.184.216.34/hook"
pytestmark = pytest.mark.django_db


def test_the_secret_is_shown_on_creation_and_never_again(staff: APIClient) -> None:
    made = staff.post("/api/v1/webhooks", {"url": PUBLIC, "event_types": ["user.created"]})
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    assert made["Location"] == f"/api/v1/webhooks/{made.json()['id']}"
    for answer in (staff.get(made["Location"]), staff.get("/api/v1/webhooks"), staff.patch(made["Location"], {})):
        assert "secret" not in answer.content.decode()


def test_an_endpoint_is_changed_and_deleted(staff: APIClient) -> None:
    address = staff.post("/api/v1/webhooks", {"url": PUBLIC})["Location"]
    changed = staff.patch(address, {"description": "mine", "event_types": ["user.deleted"], "is_active": False})
    assert {k: changed.json()[k] for k in ("description", "event_types", "is_active")} == {
        "description": "mine",
        "event_types": ["user.deleted"],
        "is_active": False,
    }
    assert staff.delete(address).status_code == 204
    assert staff.get(address).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "http://127.0.0.1/"}, "/url"),
        ({"url": PUBLIC, "event_types": ["user.exploded"]}, "/event_types"),
        ({"url": PUBLIC, "event_types": "user.created"}, "/event_types"),
        ({}, "/url"),
    ],
)
def test_a_wrong_endpoint_is_refused_with_its_place(staff: APIClient, body: dict[str, object], pointer: str) -> None:
    answer = staff.post("/api/v1/webhooks", body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_webhooks_are_for_staff(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient], anyone: APIClient
) -> None:
    someone = client_of(register())
    assert someone.get("/api/v1/webhooks").status_code == 403
    assert someone.post("/api/v1/webhooks", {"url": PUBLIC}).status_code == 403
    assert anyone.get("/api/v1/webhooks").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_a_test_message_is_sent_shown_and_sent_again(
    staff: APIClient, private_allowed: AddressPolicy, receiver: Receiver, sender: Sender
) -> None:
    address = staff.post("/api/v1/webhooks", {"url": receiver.url})["Location"]
    assert staff.post(f"{address}/test").status_code == 202
    sender.drain(5)
    (delivery,) = staff.get(f"{address}/deliveries").json()["results"]
    assert delivery["status"] == "delivered"
    assert delivery["payload"]["type"] == "webhook.test"
    assert [attempt["status_code"] for attempt in delivery["attempts"]] == [200]
    assert staff.post(f"{address}/deliveries/{delivery['id']}/retry").status_code == 202
    sender.drain(5)
    assert len(set(receiver.ids)) == 1
    assert len(receiver.ids) == 2
    assert staff.post(f"{address}/deliveries/999/retry").status_code == 404


def test_rotation_gives_a_new_secret(staff: APIClient) -> None:
    made = staff.post("/api/v1/webhooks", {"url": PUBLIC})
    rotated = staff.post(f"{made['Location']}/rotate-secret")
    assert rotated.json()["secret"].startswith("whsec_")
    assert rotated.json()["secret"] != made.json()["secret"]


def test_an_endpoint_gets_only_the_types_it_asked_for(
    staff: APIClient, register: Callable[..., UserSnapshot], drain: Callable[[], int]
) -> None:
    wanted = staff.post("/api/v1/webhooks", {"url": PUBLIC, "event_types": ["user.deleted"]})["Location"]
    every = staff.post("/api/v1/webhooks", {"url": PUBLIC})["Location"]
    user = register("ada@example.com")
    staff.delete(f"/api/v1/users/{user.id}")
    drain()
    types = [d["event_type"] for d in staff.get(f"{wanted}/deliveries").json()["results"]]
    assert types == ["user.deleted"]
    assert {"user.created", "user.deleted"} <= {
        d["event_type"] for d in staff.get(f"{every}/deliveries").json()["results"]
    }
