"""What a body may not be: every route that takes JSON refuses it, names the place, and changes nothing."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from rest_framework.test import APIClient

from tests.api_schema.operations import JSON, Operation, api_routes, might_be_sent_one, takers, view_of
from tests.core.malformed import BODIES, WRONG
from tests.core.test_body_limits import bounded

pytestmark = pytest.mark.django_db
KIB = 1024
OPEN_BYTES = 16 * KIB


def everything() -> dict[str, str | None]:
    """A digest of the rows of each table."""
    tables = {model._meta.db_table for model in apps.get_models()}
    with connection.cursor() as cursor:
        digest = "SELECT '{0}', md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {0} t"
        cursor.execute(" UNION ALL ".join(digest.format(table) for table in sorted(tables)))
        return dict(cursor.fetchall())


@pytest.fixture(autouse=True)
def no_name_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host in an example has a public address."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)


def sent(client: APIClient, operation: Operation, body: Any, kind: str = JSON) -> Any:
    """The answer to `body`."""
    return client.generic(operation.method, operation.address, body, content_type=kind)


@pytest.mark.parametrize("operation", takers(), ids=str)
class TestEveryRoute:
    def test_malformed_json(self, staff: APIClient, operation: Operation) -> None:
        before = everything()
        for what, body in BODIES.items():
            if not body and not operation.needs_body:
                continue
            answer = sent(staff, operation, body)
            assert answer.status_code == 400, (what, answer.content)
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert everything() == before

    def test_a_name_that_stands_twice(self, staff: APIClient, operation: Operation) -> None:
        name, value = next(iter(operation.example.items()))
        raw = json.dumps(operation.example)[:-1] + f', "{name}": {json.dumps(value)}}}'
        answer = sent(staff, operation, raw)
        assert answer.status_code == 400
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(f"/{name}", "duplicate_name")]

    def test_another_type_of_value(self, staff: APIClient, operation: Operation) -> None:
        before = everything()
        for name, value in operation.example.items():
            for wrong in WRONG:
                if isinstance(value, bool) and isinstance(wrong, bool):
                    continue
                answer = sent(staff, operation, json.dumps(operation.example | {name: wrong}))
                assert answer.status_code == 400, (value, wrong, answer.content)
                assert answer.json()["errors"][0]["pointer"].startswith(f"/{name}")
        assert everything() == before

    def test_another_media_type(self, staff: APIClient, operation: Operation) -> None:
        for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "text/json", "", "nonsense"):
            answer = sent(staff, operation, json.dumps(operation.example), kind)
            assert answer.status_code == 415, (kind, answer.content)

    def test_more_than_the_limit(self, staff: APIClient, operation: Operation) -> None:
        body = json.dumps(operation.example | {"padding": "x" * (10 * KIB * KIB)})
        answer = sent(staff, operation, body)
        assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


@pytest.mark.parametrize("operation", might_be_sent_one(), ids=str)
def test_each_route_has_its_bound_and_names_it(staff: APIClient, operation: Operation) -> None:
    limit = view_of(operation).body_limit or settings.BODY_LIMIT
    assert not operation.is_open or limit <= OPEN_BYTES, "whoever has no token may not send much"
    bounded(staff, operation.method, operation.address, limit)


@pytest.mark.parametrize("operation", might_be_sent_one(), ids=str)
def test_no_route_passes_over_a_member_that_it_does_not_know(staff: APIClient, operation: Operation) -> None:
    answer = sent(staff, operation, json.dumps({"no_such_member": 1, "no/such": {"x": 1}}))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.content
    unknown = [e["pointer"] for e in answer.json()["errors"] if e["code"] == "unknown"]
    assert unknown == ["/no_such_member", "/no~1such"]


def test_every_post_of_the_api_runs_once_a_key() -> None:
    """Each `post` has the decorator; without it, every repeat would run again."""
    posts = {view for _, view in api_routes() if hasattr(view, "post")}
    assert len(posts) >= 9
    assert [view.__name__ for view in posts if not getattr(view.post, "runs_once", False)] == []
