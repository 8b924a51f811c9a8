"""What a body may not be: it is refused, the place in it is named, and nothing changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.core.malformed import BODIES, WRONG
from tests.things.models import Thing

pytestmark = pytest.mark.django_db
ROUTES = [
    ("POST", "/api/v1/things", {"name": "New"}),
    ("PATCH", "/api/v1/things/{}", {"name": "New"}),
    ("POST", "/api/v1/things/{}/note", {"note": "New"}),
]


@pytest.fixture
def thing() -> Thing:
    """A thing that may be changed."""
    return Thing.objects.create(name="Old")


@pytest.mark.parametrize(("method", "path", "good"), ROUTES, ids=[path for _, path, _ in ROUTES])
class TestARoute:
    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    def test_malformed_json(self, staff: APIClient, thing: Thing, method: str, path: str, good: Any, body: Any) -> None:
        before = everything()
        answer = staff.generic(method, path.format(thing.pk), body, content_type="application/json")
        assert answer.status_code == 400, answer.content
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert everything() == before

    def test_a_name_that_stands_twice(self, staff: APIClient, thing: Thing, method: str, path: str, good: Any) -> None:
        name, value = next(iter(good.items()))
        raw = json.dumps(good)[:-1] + f', "{name}": {json.dumps(value)}}}'
        answer = staff.generic(method, path.format(thing.pk), raw, content_type="application/json")
        assert answer.status_code == 400
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(f"/{name}", "duplicate_name")]

    def test_another_type_of_value(self, staff: APIClient, thing: Thing, method: str, path: str, good: Any) -> None:
        before = everything()
        for name, value in good.items():
            for wrong in WRONG:
                body = json.dumps(good | {name: wrong})
                answer = staff.generic(method, path.format(thing.pk), body, content_type="application/json")
                assert answer.status_code == 400, (value, wrong, answer.content)
                assert answer.json()["errors"][0]["pointer"].startswith(f"/{name}")
        assert everything() == before

    def test_another_media_type(self, staff: APIClient, thing: Thing, method: str, path: str, good: Any) -> None:
        for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "text/json", "", "nonsense"):
            answer = staff.generic(method, path.format(thing.pk), json.dumps(good), content_type=kind)
            assert answer.status_code == 415, (kind, answer.content)

    def test_more_than_the_limit(self, staff: APIClient, thing: Thing, method: str, path: str, good: Any) -> None:
        body = json.dumps(good | {"padding": "x" * (10 * 1024 * 1024)})
        answer = staff.generic(method, path.format(thing.pk), body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


def test_a_flag_is_true_or_false_and_nothing_else(staff: APIClient, thing: Thing) -> None:
    flags: list[Any] = ["yes", "true", "", 1, 0, "on", None, []]
    for wrong in flags:
        answer = staff.patch(f"/api/v1/things/{thing.pk}", {"is_done": wrong})
        assert answer.status_code == 400, wrong
        assert answer.json()["errors"][0]["pointer"] == "/is_done"


def everything() -> list[dict[str, Any]]:
    return [dict(row) for row in Thing.objects.order_by("id").values()]
