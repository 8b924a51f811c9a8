"""What the schema promises to generators of clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.core.api import schema
from apps.core.api.components import KEY, documented
from apps.core.api.fields import Body
from apps.core.api.schema import EveryVersion, document
from apps.core.api.views import ApiView
from tests.api_schema.operations import api_routes

SCHEMAS = "#/components/schemas/"
VERBS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """The schemas that have names."""
    found: dict[str, Any] = document()["components"]["schemas"]
    return found


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation, with its method and path."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """`schema` and all schemas inside it."""
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts(inner)


def named(schema: Any) -> set[str]:
    """The components that `schema` names."""
    return {part["$ref"].removeprefix(SCHEMAS) for part in parts(schema) if isinstance(part.get("$ref"), str)}


def bodies_of(body: type[Body]) -> Iterator[type[Body]]:
    """Every body of the service's own that extends `body`."""
    for child in body.__subclasses__():
        yield from [child] if child.__module__.startswith("apps.") else []
        yield from bodies_of(child)


def test_a_json_body_takes_no_member_that_it_does_not_name(schemas: dict[str, Any]) -> None:
    bodies = [operation["requestBody"]["content"] for _, operation in operations() if "requestBody" in operation]
    of_json = [content["application/json"]["schema"] for content in bodies if "application/json" in content]
    reached = set().union(*map(named, of_json))
    objects = {name: part for name in reached for part in parts(schemas[name]) if "properties" in part}
    assert objects.keys() >= {f"{body.__name__}Request" for body in bodies_of(Body)} > set()
    assert all(part["additionalProperties"] is False for part in objects.values())


def test_an_answer_may_get_new_members(schemas: dict[str, Any]) -> None:
    for name in (
        "UserV1",
        "UserV2",
        "Task",  # of jobs
        "ProblemDocument",
    ):
        assert "additionalProperties" not in schemas[name], name


def test_it_refers_to_nothing_that_it_has_not(schemas: dict[str, Any]) -> None:
    found = {name for name in named(document()) if not name.startswith("#")}
    assert set() < found <= set(schemas)


def test_no_schema_leads_to_itself(schemas: dict[str, Any]) -> None:
    def leads_to(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        assert name not in seen, f"{name} is recursive: generators drop every operation that needs it"
        return {name}.union(*(leads_to(inner, seen | {name}) for inner in named(schemas[name])))

    assert set().union(*map(leads_to, schemas)) == set(schemas)


def test_a_key_is_the_same_integer_in_a_path_and_in_a_body(schemas: dict[str, Any]) -> None:
    in_paths = [p["schema"] for _, o in operations() for p in o.get("parameters", []) if p["in"] == "path"]
    keys = [schema for schema in in_paths if schema.get("type") == "integer"]
    routes = [(path, verb) for path, view in api_routes() for verb in VERBS if hasattr(view, verb)]
    assert len(keys) == sum(path.count("<key:") for path, _ in routes) > 0
    assert all(schema == KEY for schema in keys)
    assert all(schema == {"type": "string", "format": "uuid"} for schema in in_paths if schema not in keys)
    for name in ("UserV1", "UserV2", "FeedItem"):
        assert schemas[name]["properties"]["id"] == KEY, name


def test_enumerations_have_one_name_each(schemas: dict[str, Any]) -> None:
    enums = {name: tuple(schema["enum"]) for name, schema in schemas.items() if "enum" in schema}
    expected = {"EventType"}
    expected.add("JobStatus")
    expected.add("DeliveryStatus")  # of a webhook
    assert set(enums) == expected
    inline = [part for part in parts(document()["paths"]) if "enum" in part]
    inline += [part for schema in schemas.values() for part in parts(schema) if "enum" in part and part is not schema]
    assert not inline, "a generator would make up a name for each"


def cursors_of(page: dict[str, Any]) -> None:
    """Fails unless the schema of a page says what its cursors are."""
    cursors = [schema for key, schema in page["properties"].items() if key in ("next", "previous")]
    assert cursors
    assert all("not a URL: give it as `cursor`" in schema["description"] for schema in cursors), page
    assert "format" not in cursors[0]


def test_cursors_say_what_they_are(schemas: dict[str, Any]) -> None:
    for name in ("UserPageV1", "UserPageV2", "Feed"):
        cursors_of(schemas[name])


class Told(ApiView):
    """A view that says something of itself."""

    @documented(deprecated=True)
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse()


def test_two_who_ask_for_the_schema_at_once_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bool] = []

    def ask() -> None:
        generator = EveryVersion()  # type: ignore[no-untyped-call] # the library's, untyped
        generator.create_view(Told.as_view(), "GET")
        # where the library keeps what it is told
        answers.append("schema" in getattr(Told.get, "kwargs", {}))

    def overtaken(**operation: Any) -> Any:
        monkeypatch.setattr(schema, "extend_schema", extend_schema)
        ask()
        return extend_schema(**operation)

    monkeypatch.setattr(schema, "extend_schema", overtaken)
    ask()
    ask()
    assert answers == [True, True, True]
