"""Attacks of a hostile client that once worked."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests import loopback
from tests.processes import Processes
from tests.things.models import Thing

pytestmark = pytest.mark.django_db


@pytest.fixture
def thing() -> Thing:
    """A thing that is done."""
    return Thing.objects.create(name="Old", is_done=True)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
def test_an_empty_form_is_no_change(staff: APIClient, thing: Thing, kind: str) -> None:
    answer = staff.generic("PATCH", f"/api/v1/things/{thing.pk}", "", content_type=kind)
    assert answer.status_code in (400, 415)
    assert Thing.objects.get(id=thing.pk).is_done


def test_a_chunked_body_is_refused_and_not_taken_for_an_empty_one(processes: Processes) -> None:
    def pieces() -> list[bytes]:
        return [b'{"name":"New",', b'"note":"A"}']

    web = processes.web()
    answer = loopback.post(
        f"{web.url}/api/v1/things",
        content=iter(pieces()),
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


def test_rows_are_read_through_a_cursor_on_the_server(thing: Thing) -> None:
    assert [thing.created_at.tzinfo is not None for thing in Thing.objects.iterator()] == [True]


def test_options_of_the_documentation(anyone: APIClient) -> None:
    assert anyone.options("/api/docs").status_code == 405


def test_answers_without_a_body_describe_none(staff: APIClient, thing: Thing) -> None:
    address = f"/api/v1/things/{thing.pk}"
    tag = staff.get(address)["ETag"]
    unchanged = staff.get(address, headers={"If-None-Match": tag})
    assert unchanged.status_code == 304
    assert not {"Content-Type", "Content-Length"} & set(unchanged.headers)


def test_preconditions_hold_for_every_method(staff: APIClient, thing: Thing) -> None:
    address = f"/api/v1/things/{thing.pk}"
    tag = staff.get(address)["ETag"]
    assert staff.get(address, headers={"If-Match": '"other"'}).status_code == 412
    assert staff.patch(address, {"name": "X"}, headers={"If-None-Match": tag}).status_code == 412
    assert staff.patch(address, {"name": "X"}, headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_instance_of_a_problem_is_a_reference_to_this_service(anyone: APIClient) -> None:
    assert anyone.get("/api/v1/a%20b").json()["instance"] == "/api/v1/a%20b"


@pytest.mark.parametrize(
    "limit", ["0", "-1", "101", "000001999999", "000001" + "9" * 5000, "1e1", "\uff11\uff10", "+1", "", " 1"]
)
def test_a_limit_is_a_number_from_1_to_100(staff: APIClient, limit: str) -> None:
    answer = staff.get("/api/v1/things", {"limit": limit})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/limit")


def test_a_compressed_body_is_refused(anyone: APIClient) -> None:
    body = {"name": "New"}
    answer = anyone.post("/api/v1/things", body, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert anyone.post("/api/v1/things", body, headers={"Content-Encoding": "identity"}).status_code == 201
