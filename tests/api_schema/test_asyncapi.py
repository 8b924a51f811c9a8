"""asyncapi.yaml is an AsyncAPI document, and what it shows as examples fits what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.processes import ROOT

DOCUMENT = ROOT / "asyncapi.yaml"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The document."""
    found: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return found


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    """The document of the API's routes."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "openapi.yaml").read_text())
    return found


def references(part: Any) -> Iterator[str]:
    """Everything that `part` refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def messages(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every message of every channel."""
    for channel in described["channels"].values():
        yield from channel["messages"].values()


def test_the_standards_own_schema_accepts_it(described: dict[str, Any], node_modules: Path) -> None:
    schema = json.loads((node_modules / "@asyncapi/specs/schemas/3.0.0-without-$id.json").read_text())
    official = jsonschema_rs.validator_for(schema)
    assert [(list(error.instance_path), error.message) for error in official.iter_errors(described)] == []
    # it can tell
    assert not official.is_valid(described | {"operations": {"feed": {"action": "publish"}}})


def test_it_refers_to_nothing_that_it_has_not(described: dict[str, Any]) -> None:
    found = set(references(described))
    told = {f"#/components/schemas/{kind}" for kind in described["channels"]["feed"]["messages"]}
    assert found >= told | {f"#/channels/{name}" for name in described["channels"]}
    for reference in found:
        part = described
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_its_schemas_are_schemas_and_its_examples_fit_them(described: dict[str, Any]) -> None:
    root = {"components": described["components"]}
    for schema in described["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "http://json-schema.org/draft-07/schema#", **schema})
    for message in messages(described):
        for part in {"payload", "headers"} & message.keys():
            fits = jsonschema_rs.Draft7Validator({"allOf": [message[part]], **root}, validate_formats=True)
            assert message["examples"]
            for shown in message["examples"]:
                fits.validate(shown[part])
                assert not fits.is_valid({})


def test_each_channel_tells_every_type_of_event(described: dict[str, Any], openapi: dict[str, Any]) -> None:
    feed = set(described["channels"]["feed"]["messages"])
    assert set(described["channels"]["webhooks"]["messages"]) - feed == {"webhook.test"}
    assert feed == set(openapi["components"]["schemas"]["EventType"]["enum"])
    for name, channel in described["channels"].items():
        assert described["operations"][name]["channel"] == {"$ref": f"#/channels/{name}"}
        assert all(kind == message["name"] for kind, message in channel["messages"].items())


def test_the_feeds_channel_is_a_route_of_the_api(described: dict[str, Any], openapi: dict[str, Any]) -> None:
    feed = described["channels"]["feed"]
    asked = described["operations"]["feed"]["bindings"]["http"]
    for version in feed["parameters"]["version"]["enum"]:
        operation = openapi["paths"][feed["address"].format(version=version)][asked["method"].lower()]
        taken = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
        assert set(asked["query"]["properties"]) == taken
