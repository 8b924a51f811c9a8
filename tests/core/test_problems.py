"""Every error is a problem document (RFC 9457), whatever raised it, and reveals nothing of the inside."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils.html import escape
from rest_framework.test import APIClient

from apps.core.errors import Conflict
from apps.core.http.pages import problems
from apps.core.http.problems import CODE_OF_STATUS
from tests.processes import ROOT
from tests.things.commands import Row
from tests.things.queries import ListThings
from tests.things.services import bus as things

FIELDS = ["type", "title", "status", "detail", "instance", "code", "request_id"]


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The body of `answer`, which has to be a problem document with `status` and `code`."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert list(body)[:7] == FIELDS
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["title"]
    assert body["detail"]
    assert code in problems()
    assert body["type"].endswith(f"/problems/{code}")
    return body


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/api/v1/nowhere", "/api/nowhere", "/api/v1/things/", "/api/v9/things", "/api/v1/things/0", "/api"],
)
def test_an_unknown_route(anyone: APIClient, path: str) -> None:
    for method in (anyone.get, anyone.post, anyone.delete):
        body = problem(method(path), 404, "not_found")
        assert body["instance"] == path


@pytest.mark.parametrize(
    "path", ["/api/v1/things/" + "9" * 30, "/api/v1/things/abc", "/api/v1/things/-1", "/api/v1/things/%00"]
)
def test_a_key_that_no_row_can_have(staff: APIClient, path: str) -> None:
    problem(staff.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("put", "/api/v1/things", {"GET", "POST"}),
        ("delete", "/api/v1/things/1/note", {"POST"}),
        ("post", "/api/v1/things/1", {"GET", "PATCH", "DELETE"}),
        ("get", "/api/v1/things/upload", {"POST"}),
    ],
)
def test_a_method_that_the_route_has_not(staff: APIClient, method: str, path: str, allowed: set[str]) -> None:
    answer = getattr(staff, method)(path)
    problem(answer, 405, "method_not_allowed")
    assert allowed <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/schema", "/"])
def test_the_same_outside_the_versions(anyone: APIClient, path: str) -> None:
    answer = anyone.post(path, {})
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"name=New", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"<user/>", "application/xml", 415, "unsupported_media_type"),
        (b'{"email": ', "application/json", 400, "parse_error"),
        (b"", "application/json", 400, "parse_error"),
        (b"[]", "application/json", 400, "parse_error"),
        (b'"text"', "application/json", 400, "parse_error"),
        (b'{"name": "\xff"}', "application/json", 400, "parse_error"),
        (b'{"name": NaN}', "application/json", 400, "parse_error"),
        (b'{"name": "\\u0000"}', "application/json", 400, "parse_error"),
        (b'{"name": "\\ud800"}', "application/json", 400, "parse_error"),
        (b"[" * 10_000, "application/json", 400, "parse_error"),
        (b'{"name": "' + b"x" * 17_000 + b'"}', "application/json", 413, "content_too_large"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_that_cannot_be_read(anyone: APIClient, body: bytes, kind: str, status: int, code: str) -> None:
    data: Any = body
    problem(anyone.generic("POST", "/api/v1/things", data, content_type=kind), status, code)


def test_json_in_any_spelling_of_its_type(anyone: APIClient) -> None:
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        answer = anyone.generic("POST", "/api/v1/things", "{}", content_type=kind)
        problem(answer, 400, "invalid")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/name"}),
        ({"name": None, "note": None}, {"/name", "/note"}),
        ({"name": ["New"], "note": {}}, {"/name", "/note"}),
        ({"name": "\n", "note": 1, "nmae": "x"}, {"/name", "/note", "/nmae"}),
        ({"name": "x" * 101}, {"/name"}),
        ({"name": " ", "is_done": "no"}, {"/name", "/is_done"}),
    ],
)
def test_values_that_are_refused_are_pointed_to(anyone: APIClient, db: None, body: object, pointers: set[str]) -> None:
    found = problem(anyone.post("/api/v1/things", body), 400, "invalid")["errors"]
    assert {error["pointer"] for error in found} == pointers
    assert all(error["code"] and error["detail"] for error in found)


def test_a_host_that_is_not_ours(anyone: APIClient) -> None:
    problem(anyone.get("/api/v1/things", SERVER_NAME="evil.example"), 400, "bad_request")


@pytest.mark.parametrize("path", ["/api/v1/things", "/api/v2/things"])
def test_what_nobody_expected_hides_what_is_inside(anyone: APIClient, path: str) -> None:
    def broken(query: ListThings) -> list[Row]:
        raise RuntimeError("secret-of-the-inside")

    anyone.raise_request_exception = False
    with things.replaced(ListThings, broken):
        answer = anyone.get(path, headers={"X-Request-ID": "looked-for-in-the-log"})
    body = problem(answer, 500, "internal_error")
    assert body["request_id"] == "looked-for-in-the-log"
    assert b"secret-of-the-inside" not in answer.content
    assert b"RuntimeError" not in answer.content
    assert answer.headers["X-API-Version"] == path[5:7]
    assert answer.headers["RateLimit"]


def codes_in_use() -> set[str]:
    """Every code that the source names: in a class of an error, or where an answer is made without one."""
    source = "\n".join(path.read_text() for folder in ("apps", "config") for path in (ROOT / folder).rglob("*.py"))
    of_classes = re.findall(r'^    (?:default_)?code(?:: \w+)? = "(\w+)"', source, re.MULTILINE)
    of_answers = re.findall(r'\bproblem\(\s*\w+,\s*[\w.]+,\s*"(\w+)"', source)
    assert {"precondition_failed", "idempotency_in_flight"} <= set(of_classes)
    assert {"rate_limited", "invalid"} <= set(of_answers)
    return {*of_classes, *of_answers, *CODE_OF_STATUS.values()}


def test_each_problem_has_a_page_that_explains_it(anyone: APIClient) -> None:
    every = anyone.get("/problems/").content.decode()
    for code in codes_in_use():
        page = anyone.get(f"/problems/{code}")
        assert page.status_code == 200, code
        for meaning in problems()[code]:
            assert escape(meaning) in page.content.decode()
        assert f'href="/problems/{code}"' in every
    problem(anyone.get("/problems/unheard-of"), 404, "not_found")


def test_a_new_error_has_its_page_by_itself(anyone: APIClient) -> None:
    class OutOfStock(Conflict):
        """The shelf is empty."""

        code = "out_of_stock"

    assert "The shelf is empty." in anyone.get("/problems/out_of_stock").content.decode()
    del OutOfStock
