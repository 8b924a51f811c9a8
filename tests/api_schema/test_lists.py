"""Every list refuses what its parameters may not be."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.api_schema.operations import Operation, lists

pytestmark = pytest.mark.django_db


def wrong(name: str, schema: dict[str, Any]) -> str:
    """A value that a parameter of this schema may not have."""
    if name == "cursor":
        return "x"
    if schema.get("type") == "integer":
        return str(schema["minimum"] - 1)
    return "x" * (int(schema.get("maxLength", 50)) + 1)


@pytest.mark.parametrize("operation", lists(), ids=str)
class TestEveryList:
    @pytest.mark.parametrize(
        "limit", ["0", "-1", "101", "000001999999", "000001" + "9" * 5000, "1e1", "\uff11\uff10", "+1", "", " 1"]
    )
    def test_a_limit_is_a_number_from_1_to_100(self, staff: APIClient, operation: Operation, limit: str) -> None:
        answer = staff.get(operation.address, {"limit": limit})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/limit")

    def test_all_that_is_wrong_is_told_together(self, staff: APIClient, operation: Operation) -> None:
        query = {name: wrong(name, schema) for name, schema in operation.parameters.items()}
        answer = staff.get(operation.address, query)
        assert {e["pointer"] for e in answer.json()["errors"]} == {f"/{name}" for name in query}


def test_there_are_some() -> None:
    assert len(lists()) >= 4
