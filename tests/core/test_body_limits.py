"""What a body may cost: bytes, values, nesting and numbers are bounded before anything expensive is done with them."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.core.api.bodies import Taken, pieces
from apps.core.api.parsers import MOST_VALUES, read_object
from apps.core.api.strict_json import repeated_name, shape_problem
from apps.core.http.refusals import ContentTooLarge, MalformedBody
from tests.things.models import Thing

KIB = 1024
NDJSON, CSV = "application/x-ndjson", "text/csv"
LIMITS = [
    ("POST", "/api/v1/things", 16 * KIB),
    ("PATCH", "/api/v1/things/{}", 64 * KIB),
    ("POST", "/api/v1/things/{}/note", 64 * KIB),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "limit"), LIMITS, ids=[path for _, path, _ in LIMITS])
def test_each_route_has_its_bound_and_names_it(staff: APIClient, method: str, path: str, limit: int) -> None:
    bounded(staff, method, path.format(Thing.objects.create(name="Old").pk), limit)


def bounded(client: APIClient, method: str, path: str, limit: int) -> None:
    """Fails unless the route looks at a body of `limit` bytes and refuses the next byte."""

    def send(size: int) -> Any:
        body: Any = b'{"a": 1}'.ljust(size)
        return client.generic(method, path, body, content_type="application/json")

    assert send(limit).json()["code"] == "invalid", "one byte less is looked at"
    answer = send(limit + 1)
    assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")
    assert str(limit) in answer.json()["detail"]


@pytest.mark.django_db
def test_a_keyed_post_is_bounded_too(anyone: APIClient) -> None:
    body: Any = b"{}".ljust(16 * KIB + 1)
    key = {"Idempotency-Key": "k1"}
    answer = anyone.generic("POST", "/api/v1/things", body, content_type="application/json", headers=key)
    assert answer.status_code == 413


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_so_is_a_form_of_whoever_is_not_logged_in(client: Client, kind: str) -> None:
    for path in ("/admin/login/", "/admin/breakers/", "/api/schema"):
        answer = client.generic("POST", path, b"a=1&".ljust(64 * KIB + 1), content_type=kind)
        assert answer.status_code == 413, path


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b'{"a": [' + b"0," * MOST_VALUES + b"0]}", f"more than {MOST_VALUES} values"),
        (b'{"a": [' + b"[]," * MOST_VALUES + b"0]}", f"more than {MOST_VALUES} values"),
        (b"{" + b",".join(b'"%d":0' % n for n in range(MOST_VALUES)) + b"}", f"more than {MOST_VALUES} values"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "deeper than 100 levels"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "more than 400 characters"),
        (b'{"a": 0.' + b"1" * 10_000 + b"}", "more than 400 characters"),
        (b'{"a": 1e' + b"0" * 10_000 + b"}", "more than 400 characters"),
    ],
    ids=["items", "lists", "members", "nested", "integer", "fraction", "exponent"],
)
def test_what_is_small_and_dear_is_refused_unparsed(raw: bytes, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.core.api.parsers.orjson.loads", None)
    with pytest.raises(MalformedBody, match=why):
        read_object(raw)


@pytest.mark.parametrize(
    "value",
    ["," * 5000, "[" * 5000, '{[,]}\\",' * 500, "1" * 5000, list(range(900)), float("1.7e308"), int("9" * 300)],
    ids=lambda value: str(value)[:8],
)
def test_texts_count_as_one_value_whatever_is_in_them(value: Any) -> None:
    assert read_object(json.dumps({"a": value}).encode()).keys() == {"a"}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":[' + b"{}," * 990 + b"{}]}",
        b'{"' + b"a" * 600 + b'":[' + b'{"b":{"c":0,"c":0}},' * 450 + b"0]}",
        b'{"' + b'":{"'.join(b"%d" % n + b"n" * 500 for n in range(95)) + b'":{"x":1,"x":2}' + b"}" * 95,
        b'{"a":"' + b"\\u0041" * 10_000 + b'"}',
        b'{"a":"' + b'\\"' * 30_000,
        b'"' * 64 * KIB,
        b"[" * 64 * KIB,
        b"1 " * 32 * KIB,
    ],
    ids=["objects", "repeated names", "long paths", "escapes", "open text", "quotes", "brackets", "numbers"],
)
def test_the_dearest_body_of_64_kib_takes_little_memory(raw: bytes) -> None:
    tracemalloc.start()
    try:
        read_object(raw)
    except Exception as refused:  # whatever the reason: the cost of a refusal counts too
        del refused
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 1024 * KIB


def test_a_look_is_one_look_at_each_byte() -> None:
    """A pattern that began again at each of 100,000 quotes, or a path kept for each value, would take far too long."""
    assert shape_problem(b'"' + b'\\",' * 100_000, 10) == ""
    body = b'{"a":' + b'{"b":' * 90 + b'{"x":1,"x":1}' + b"}" * 91
    assert repeated_name(body) == "/a" + "/b" * 90 + "/x"


class Stream:
    """A stream that counts what is read of it."""

    def __init__(self, size: int) -> None:
        self.left, self.read_bytes = size, 0

    def read(self, size: int) -> bytes:
        taken = min(size, self.left)
        self.left -= taken
        self.read_bytes += taken
        return b"x" * taken


def test_of_a_body_that_lies_about_its_length_no_more_is_read_than_the_bound() -> None:
    stream = Stream(100 * KIB * KIB)
    with pytest.raises(ContentTooLarge):
        list(pieces(stream, 64 * KIB, declared=10))
    assert stream.read_bytes <= KIB * KIB


def test_of_one_that_says_how_long_it_is_nothing_is_read(rf: Any) -> None:
    request = rf.post("/", b"x" * 100, content_type=CSV)
    request._stream = Stream(100)
    with pytest.raises(ContentTooLarge):
        Taken(request, 99, file=None)  # type: ignore[arg-type] # is not come to
    assert request._stream.read_bytes == 0
