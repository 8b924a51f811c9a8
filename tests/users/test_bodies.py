"""What the users' routes refuse in a body, and how much of one they take."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.core.test_body_limits import bounded
from tests.core.test_problems import problem

pytestmark = pytest.mark.django_db
KIB = 1024
LIMITS = [
    ("POST", "/api/v1/users", 16 * KIB),
    ("POST", "/api/v1/auth/token", 16 * KIB),
    ("POST", "/api/v1/auth/token/refresh", 16 * KIB),
    ("PATCH", "/api/v1/users/me", 64 * KIB),
]


@pytest.mark.parametrize(("method", "path", "limit"), LIMITS, ids=[path for _, path, _ in LIMITS])
def test_each_route_has_its_bound_and_names_it(staff: APIClient, method: str, path: str, limit: int) -> None:
    bounded(staff, method, path, limit)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/email", "/name"}),
        ({"email": None, "name": None}, {"/email", "/name"}),
        ({"email": ["ada@example.com"], "name": {}}, {"/email", "/name"}),
        ({"email": "ada", "name": "Ada"}, {"/email"}),
        ({"email": "nope", "name": ""}, {"/email", "/name"}),
        ({"email": 1, "name": "\n", "password": "short", "pasword": "x"}, {"/email", "/name", "/password", "/pasword"}),
        ({"email": "a" * 250 + "@example.com", "name": "x" * 151}, {"/email", "/name"}),
        ({"email": "ada@example.com", "name": "Ada", "password": "short"}, {"/password"}),
        ({"email": "ada@example.com", "name": " "}, {"/name"}),
    ],
)
def test_values_that_are_refused_are_pointed_to(anyone: APIClient, db: None, body: object, pointers: set[str]) -> None:
    found = problem(anyone.post("/api/v1/users", body), 400, "invalid")["errors"]
    assert {error["pointer"] for error in found} == pointers
    assert all(error["code"] and error["detail"] for error in found)


def test_a_flag_is_true_or_false_and_nothing_else(staff: APIClient) -> None:
    flags: list[Any] = ["yes", "true", "", 1, 0, "on", None, []]
    for wrong in flags:
        answer = staff.patch("/api/v1/users/me", {"is_active": wrong})
        assert answer.status_code == 400, wrong
        assert answer.json()["errors"][0]["pointer"] == "/is_active"


def test_types_rules_and_typos_are_told_together(staff: APIClient) -> None:
    answer = staff.patch("/api/v2/users/me", {"name": "", "is_active": "no", "email": "x"})
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/name", "/is_active", "/email"]
