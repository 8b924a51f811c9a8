"""POST /process over HTTP: a body that is not a table is 400, before a transaction; a table is kept as a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.jobs.commands import RunNextJob
from apps.jobs.models import Chunk, Job
from apps.users.commands import UserSnapshot

pytestmark = pytest.mark.django_db
TABLE = b'{"rows":[{"a":1},{"a":2.5,"b":"x"}]}'


@pytest.fixture
def send(register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]) -> Callable[..., Any]:
    """Posts a raw body to /process."""
    client = client_of(register())

    def post(body: bytes, kind: str = "application/json", **headers: str) -> Any:
        return client.generic("POST", "/api/v1/process", body, content_type=kind, headers=headers)  # type: ignore[arg-type] # stubs

    return post


def test_the_table_is_kept_as_its_file_and_not_in_the_row(send: Callable[..., Any]) -> None:
    assert send(TABLE).status_code == 202
    job = Job.objects.get()
    assert (job.input, job.total, bytes(Chunk.objects.get().data)) == ({}, 2, TABLE)
    bus.execute(RunNextJob())
    job.refresh_from_db()
    assert job.result
    assert (job.result["rows"], job.result["columns"]["a"]["mean"]) == (2, 1.75)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "missing"),
        (b"[]", "must be a JSON object"),
        (TABLE[:-1], "breaks off"),
        (TABLE + b"x", "nothing may follow"),
        (TABLE.replace(b"2.5", b"NaN"), "at character 22"),
        (TABLE.replace(b"x", b"\xff"), "UTF-8"),
        (TABLE.replace(b"x", b"\\u0000"), "NUL"),
        (TABLE.replace(b"x", b"x" * 300_000), "up to 262,144 characters"),
    ],
)
def test_what_is_no_strict_json_is_400_at_once(send: Callable[..., Any], body: bytes, words: str) -> None:
    answer = send(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
    assert words in answer.json()["detail"]
    assert not Job.objects.exists()


def test_all_that_is_wrong_is_told_at_once(send: Callable[..., Any]) -> None:
    answer = send(b'{"row":[],"rows":[1,{"a":1,"a":2},null]}')
    assert answer.status_code == 400
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [
        ("/row", "unknown"),
        ("/rows/1/a", "duplicate_name"),
        ("/rows/0", "not_an_object"),
        ("/rows/2", "not_an_object"),
    ]


@pytest.mark.parametrize("kind", ["application/json; charset=latin-1", "application/json;charset=utf-16", "text/csv"])
def test_json_is_utf_8(send: Callable[..., Any], kind: str) -> None:
    answer = send(TABLE, kind)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_it_is_read_before_the_transaction_of_its_key(send: Callable[..., Any]) -> None:
    headers = {"Idempotency-Key": "one"}
    with CaptureQueriesContext(connection) as seen:
        assert send(b'{"rows":[1]}', **headers).status_code == 400
    assert not any("pg_try_advisory" in query["sql"] for query in seen.captured_queries)
    first, again, other = send(TABLE, **headers), send(TABLE, **headers), send(TABLE.replace(b"1", b"2"), **headers)
    assert (again.status_code, again.content) == (202, first.content)
    assert other.status_code == 422
    assert Job.objects.count() == 1


def test_a_repeated_name_is_pointed_at_wherever_it_is(staff: APIClient) -> None:
    raw = '{"rows": [{"a": 1}, {"b/c": {"d": 1, "d": 2}}]}'
    answer = staff.generic("POST", "/api/v1/process", raw, content_type="application/json")
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/rows/1/b~1c/d"]
    again = '{"rows": [{"a": {"x": 1, "x": 2}, "a": 3}]}'
    answer = staff.generic("POST", "/api/v1/process", again, content_type="application/json")
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/rows/0/a"]


@pytest.mark.parametrize(
    ("prefix", "headers"), [("/api/v1", {}), ("/api/v2", {}), ("/api", {}), ("/api", {"X-API-Version": "v2"})]
)
def test_where_a_task_is_said_to_be_it_is(staff: APIClient, prefix: str, headers: dict[str, str]) -> None:
    made = staff.post(f"{prefix}/process", {"rows": []}, headers=headers)
    assert made.headers["Location"] == f"{prefix}/tasks/{made.json()['task_id']}"
    assert staff.get(made.headers["Location"], headers=headers).status_code == 200
