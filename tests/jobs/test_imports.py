"""POST /users/import, and the job behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.queue.work_queue import LeaseLost
from apps.core.refused_lines import Refusal
from apps.events.models import OutboxEvent
from apps.jobs.commands import RunNextJob
from apps.jobs.models import Job
from apps.users import imports, rules
from apps.users.commands import UserSnapshot
from apps.users.models import User
from tests.users.test_imports import MIXED

pytestmark = pytest.mark.django_db(transaction=True)
LATIN = "email,name\nzoe@example.com,Zoë\n"


def post_file(client: APIClient, body: bytes, kind: str = "text/csv") -> Any:
    """The answer to an upload."""
    return client.generic("POST", "/api/v1/users/import", body, content_type=kind)  # type: ignore[arg-type] # stubs


def imported(staff: APIClient, body: bytes, kind: str = "text/csv") -> dict[str, Any]:
    """The finished task of an import."""
    answer = post_file(staff, body, kind)
    assert answer.status_code == 202, answer.content
    assert bus.execute(RunNextJob())
    task: dict[str, Any] = staff.get(answer["Location"]).json()
    return task


def test_good_lines_are_imported_and_bad_ones_are_named(
    staff: APIClient, register: Callable[..., UserSnapshot]
) -> None:
    register("taken@example.com")
    task = imported(staff, MIXED.encode())
    assert task["status"] == "SUCCESS"
    result = task["result"]
    assert {key: result[key] for key in ("total", "created", "rejected")} == {"total": 7, "created": 2, "rejected": 5}
    assert [(e["line"], e["code"]) for e in result["errors"]] == [
        (3, "invalid"),
        (4, "email_taken"),
        (5, "email_taken"),
        (7, "malformed"),
        (8, "blank"),
    ]
    assert User.objects.get(email="grace@example.com").name == "Hopper, Grace"
    told = OutboxEvent.objects.filter(type="user.created").values_list("data__email", flat=True)
    assert set(told) == {"staff@example.com", "taken@example.com", "ada@example.com", "grace@example.com"}


def test_ndjson_too(staff: APIClient) -> None:
    lines = [{"email": "ada@example.com", "name": "Ada"}, {"email": 7}, ["x"]]
    body = "\n".join(map(json.dumps, lines)) + '\n{"email": "broken\n\n'
    result = imported(staff, body.encode(), "application/x-ndjson")["result"]
    assert (result["created"], [e["line"] for e in result["errors"]]) == (1, [2, 3, 4])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_understood(staff: APIClient, encoding: str) -> None:
    body = "email,name\r\nada@example.com,Ådå\r\n".encode(encoding)
    assert imported(staff, body)["result"]["created"] == 1
    assert User.objects.get(email="ada@example.com").name == "Ådå"


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"  \n", 400), (b"\0\1\2\3", 400)], ids=["empty", "blank", "binary"]
)
def test_what_is_no_file_is_refused_at_once(staff: APIClient, body: bytes, status: int) -> None:
    answer = post_file(staff, body, "text/csv")
    assert answer.status_code == status
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "body",
    [b"a@example.com,A\nb@example.com,B\n", b"email;name\na@example.com;A\n", "email,name\nå,Å".encode("latin-1")],
    ids=["no header", "semicolons", "latin-1"],
)
def test_a_file_that_cannot_be_imported_fails_with_the_reason(staff: APIClient, body: bytes) -> None:
    task = imported(staff, body)
    assert task["status"] == "FAILURE"
    assert "header" in task["error"] or "UTF-8" in task["error"]


def test_a_file_of_another_type_is_415_and_of_others_403(
    staff: APIClient, register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]
) -> None:
    assert staff.post("/api/v1/users/import", {"email": "x"}).status_code == 415
    someone = client_of(register())
    answer = post_file(someone, b"email,name\n", "text/csv")
    assert answer.status_code == 403


def test_an_import_that_was_cut_off_goes_on_where_it_was(staff: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the second of four batches: the rest is done, and no line twice."""
    monkeypatch.setattr(imports, "BATCH_LINES", 10)
    body = "email,name\n" + "".join(f"u{i}@example.com,U{i}\n" for i in range(40))
    post_file(staff, body.encode(), "text/csv")
    batches = 0
    whole = imports._import_batch

    def cut_off(*batch: Any) -> list[Refusal]:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise LeaseLost("as if the worker had been killed")
        return whole(*batch)

    monkeypatch.setattr(imports, "_import_batch", cut_off)
    bus.execute(RunNextJob())
    assert User.objects.filter(email__startswith="u").count() == 20
    assert Job.objects.get().done == 20
    Job.objects.update(due_at="2020-01-01T00:00:00Z")
    bus.execute(RunNextJob())
    job = Job.objects.get()
    assert job.status == "SUCCESS"
    assert job.result
    assert job.result["created"] == job.result["total"] == 40
    assert OutboxEvent.objects.filter(type="user.created", data__email__startswith="u").count() == 40


@pytest.mark.parametrize(
    ("kind", "charset"),
    [
        ("text/csv; charset=utf-8", "utf-8"),
        ('TEXT/CSV; header=present; Charset="ISO-8859-1"', "latin-1"),
        ("text/csv;charset=windows-1252", "cp1252"),
        ("text/csv; charset=UTF-16LE", "utf-16-le"),
        ("text/csv; charset=utf-16", "utf-16"),
    ],
)
def test_the_charset_of_the_content_type_is_read(staff: APIClient, kind: str, charset: str) -> None:
    assert imported(staff, LATIN.encode(charset), kind)["result"]["created"] == 1
    assert User.objects.get(email="zoe@example.com").name == "Zoë"


@pytest.mark.parametrize(
    "kind",
    [
        "text/csv; charset=ebcdic",
        "text/csv; charset=koi8-r",
        "text/csv; charset=base64",
        "text/csv; charset=",
        "application/x-ndjson; charset=latin-1",
        "application/x-ndjson; charset=utf-16",
    ],
)
def test_another_charset_is_refused_and_the_known_ones_named(staff: APIClient, kind: str) -> None:
    answer = post_file(staff, LATIN.encode(), kind)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "is read in utf-8, us-ascii" in answer.json()["detail"]
    assert not Job.objects.exists()


def test_a_line_that_the_database_refuses_is_that_lines_outcome(
    staff: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the rules let pass by mistake fails neither the other lines nor the job."""
    monkeypatch.setattr(rules, "name_problem", lambda name: None)
    people = [(f"u{i}@example.com", f"U{i}") for i in range(40)]
    people[29:29] = [("nul@example.com", "V\0")]
    body = "".join(json.dumps({"email": email, "name": name}) + "\n" for email, name in people)
    result = imported(staff, body.encode(), "application/x-ndjson")["result"]
    assert (result["total"], result["created"]) == (41, 40)
    assert result["errors"] == [{"line": 30, "code": "invalid", "detail": "The database cannot keep these values."}]


def test_blank_rows_hide_nothing_over_http(staff: APIClient) -> None:
    body = ",\n;;\nemail,name\nada@example.com,Ada\n" + ",\n" * 1500 + "no-mail,N\n"
    result = imported(staff, body.encode())["result"]
    assert (result["total"], result["created"]) == (2, 1)
    assert [error["line"] for error in result["errors"]] == [1505]


def test_of_a_file_the_content_counts_and_not_its_length(staff: APIClient) -> None:
    def upload(name: str) -> Any:
        body: Any = f"email,name\n{name}@example.com,A\n"
        return staff.generic(
            "POST", "/api/v1/users/import", body, content_type="text/csv", headers={"Idempotency-Key": "k1"}
        )

    first, again, other = upload("one"), upload("one"), upload("two")
    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (202, 202, "true")
    assert again.content == first.content
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
