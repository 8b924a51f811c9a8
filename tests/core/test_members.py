"""The members of a body: one that the route does not know is refused, and all problems are reported at once."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.test import APIClient

from apps.core.api.fields import Body, Flag, Integer, Text
from apps.core.errors import FieldProblem, Invalid


@pytest.mark.django_db
def test_types_rules_and_typos_are_told_together(anyone: APIClient) -> None:
    answer = anyone.post("/api/v2/things", {"name": "", "is_done": "no", "nmae": "x"})
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/is_done", "/nmae", "/name"]


@pytest.mark.django_db
def test_so_are_all_parameters_of_a_query(anyone: APIClient) -> None:
    answer = anyone.get("/api/v1/things", {"limit": "0", "cursor": "x"})
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/limit", "/cursor"]


class Size(Body):
    width = Integer(min_value=1, max_value=9)
    note = Text(required=False)


class Order(Body):
    count = Integer()
    size = Size(required=False)
    parts = serializers.ListField(child=Size(), required=False)
    urgent = Flag(required=False)

    def rules(self, values: Any) -> list[FieldProblem]:
        return [FieldProblem("/count", "odd", "must be even")] if values.get("count", 0) % 2 else []


def problems_of(data: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as raised:
        Order().check(data)
    return [(problem.pointer, problem.code) for problem in raised.value.problems]


def test_objects_within_objects_are_as_strict() -> None:
    wrong = {"count": 3, "size": {"width": 10, "hight": 1}, "parts": [{"width": 1}, {"with": 1}], "urgent": "yes"}
    assert problems_of(wrong) == [
        ("/size/width", "max_value"),
        ("/size/hight", "unknown"),
        ("/parts/1/width", "required"),
        ("/parts/1/with", "unknown"),
        ("/urgent", "invalid"),
        ("/count", "odd"),
    ]
    assert problems_of([]) == [("", "invalid")]
    assert problems_of({"count": 2, "size": []}) == [("/size", "invalid")]


def test_a_hook_that_is_never_called_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"Late\.validate_count is never called"):

        class Late(Body):
            def validate_count(self, value: int) -> int:
                return value


@pytest.mark.parametrize(("given", "kept"), [(1161, 1161), (1161.0, 1161), (1e3, 1000), (-0.0, 0), (2.0**53, 2**53)])
def test_an_integer_is_one_however_it_is_written(given: Any, kept: int) -> None:
    value = Integer().run_validation(given)
    assert (value, type(value)) == (kept, int)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (1.5, "invalid"),
        ("5", "invalid"),
        (True, "invalid"),
        (None, "null"),
        ([], "invalid"),
        (2**70, "max_value"),
        (float(2**70), "max_value"),
        (-(2**63) - 1, "min_value"),
        (2.0**53 + 2, "invalid"),
        (float("inf"), "invalid"),
    ],
)
def test_what_is_no_integer_or_out_of_bounds(given: Any, code: str) -> None:
    with pytest.raises(serializers.ValidationError) as raised:
        Integer().run_validation(given)
    assert raised.value.get_codes() == [code]
