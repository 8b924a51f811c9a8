"""What a body may not be: every route that takes JSON refuses it, names the place, and changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.events.models import OutboxEvent
from apps.jobs.models import Job
from apps.users.models import User
from apps.webhooks import models as webhooks

pytestmark = pytest.mark.django_db
ROUTES = [
    ("POST", "/api/v1/users", {"email": "new@example.com", "name": "New"}),
    ("PATCH", "/api/v1/users/me", {"name": "New"}),
    ("POST", "/api/v1/auth/token", {"email": "new@example.com", "password": "x"}),
    ("POST", "/api/v1/auth/token/refresh", {"refresh": "x"}),
    ("POST", "/api/v1/process", {"rows": [{"a": 1}]}),
    ("POST", "/api/v1/webhooks", {"url": "https://example.com/hooks"}),
]
BODIES = {
    "empty": b"",
    "blank": b"  \n ",
    "cut off": b'{"name": "New"',
    "two": b"{} {}",
    "no object": b"[]",
    "null": b"null",
    "a text": b'"name"',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "New"}'.encode("utf-16"),
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "byte order mark": b'\xef\xbb\xbf{"name": "New"}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "NUL": b'{"name": "a\\u0000b"}',
    "NUL in a name": b'{"a\\u0000b": 1}',
    "NUL deep inside": b'{"x": [{"y": ["\\u0000"]}]}',
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": -Infinity}',
    "comment": b'{"name": "New" /* new */}',
    "trailing comma": b'{"name": "New",}',
    "single quotes": b"{'name': 'New'}",
    "control character": b'{"name": "a\nb"}',
    "too deep": b'{"x":' * 200 + b"1" + b"}" * 200,
    "far too deep": b'{"x":' + b"[" * 7_000 + b"]" * 7_000 + b"}",
}
WRONG: list[Any] = [None, 1, 1.5, True, {}, {"a": 1}, [[]], ["x"], [None]]


@pytest.mark.parametrize(("method", "path", "good"), ROUTES, ids=[path for _, path, _ in ROUTES])
class TestEveryRoute:
    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    def test_malformed_json(self, staff: APIClient, method: str, path: str, good: Any, body: Any) -> None:
        before = everything()
        answer = staff.generic(method, path, body, content_type="application/json")
        assert answer.status_code == 400, answer.content
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert everything() == before

    def test_a_name_that_stands_twice(self, staff: APIClient, method: str, path: str, good: Any) -> None:
        name, value = next(iter(good.items()))
        raw = json.dumps(good)[:-1] + f', "{name}": {json.dumps(value)}}}'
        answer = staff.generic(method, path, raw, content_type="application/json")
        assert answer.status_code == 400
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(f"/{name}", "duplicate_name")]

    def test_another_type_of_value(self, staff: APIClient, method: str, path: str, good: Any) -> None:
        before = everything()
        for name, value in good.items():
            for wrong in WRONG:
                answer = staff.generic(method, path, json.dumps(good | {name: wrong}), content_type="application/json")
                assert answer.status_code == 400, (value, wrong, answer.content)
                assert answer.json()["errors"][0]["pointer"].startswith(f"/{name}")
        assert everything() == before

    def test_another_media_type(self, staff: APIClient, method: str, path: str, good: Any) -> None:
        for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "text/json", "", "nonsense"):
            answer = staff.generic(method, path, json.dumps(good), content_type=kind)
            assert answer.status_code == 415, (kind, answer.content)

    def test_more_than_the_limit(self, staff: APIClient, method: str, path: str, good: Any) -> None:
        body = json.dumps(good | {"padding": "x" * (10 * 1024 * 1024)})
        answer = staff.generic(method, path, body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


def test_a_flag_is_true_or_false_and_nothing_else(staff: APIClient) -> None:
    flags: list[Any] = ["yes", "true", "", 1, 0, "on", None, []]
    for wrong in flags:
        answer = staff.patch("/api/v1/users/me", {"is_active": wrong})
        assert answer.status_code == 400, wrong
        assert answer.json()["errors"][0]["pointer"] == "/is_active"


def everything() -> tuple[int, ...]:
    counts = [
        User.objects.count(),
        OutboxEvent.objects.count(),
        Job.objects.count(),
        webhooks.Endpoint.objects.count(),
    ]
    return (*counts, *User.objects.order_by("id").values_list("version", flat=True))
