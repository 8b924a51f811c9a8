"""Each private part of a library that this code uses stands in an adapter; an upgrade that breaks it fails here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import RequestFactory, TestCase
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from granian import Granian
from granian.constants import Interfaces
from rest_framework.request import Request

from apps.core.api.schema import EveryVersion, ProblemSchema
from apps.core.resilience.transport import use_pool
from config.server.granian_parts import hold_signals_back, share

ADAPTERS = {
    "apps/core/api/schema.py",  # drf-spectacular
    "apps/core/api/underlying.py",  # DRF and Django, of requests
    "apps/core/postgresql/base.py",  # Django, of its pools
    "apps/core/postgresql/traced/base.py",  # the same
    "apps/core/resilience/transport.py",  # httpx
    "apps/core/transactions.py",  # Django, of its test cases
    "config/server/granian_parts.py",
}
# public despite their names
PUBLIC = {"_meta", "_state", "_default_manager", "_base_manager", "_asdict", "_replace", "_exit", "_fields"}


def privates_in(source: str) -> Iterator[str]:
    """Each use in Python `source` of a private name of something other than `self`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            name = node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr"):
            name = ast.unparse(node.args[1]).strip("'")
        else:
            continue
        if name.startswith("_") and not name.startswith("__") and name not in PUBLIC:
            yield name


def test_no_other_module_reaches_into_a_library() -> None:
    files = [path for folder in ("apps", "config") for path in sorted(Path(folder).rglob("*.py"))]
    found = {str(path) for path in files if any(privates_in(path.read_text(encoding="utf-8")))}
    assert found == ADAPTERS


def overridden(ours: type, theirs: type) -> list[str]:
    """The private methods of ours that take the place of one of theirs."""
    names = [name for name in vars(ours) if name.startswith("_") and not name.startswith("__")]
    return [name for name in names if hasattr(theirs, name)]


def test_drf_spectacular_still_asks_what_the_schema_answers() -> None:
    assert overridden(ProblemSchema, AutoSchema) == [
        *("_map_serializer", "_insert_field_validators", "_get_request_body", "_get_response_bodies")
    ]
    assert overridden(EveryVersion, SchemaGenerator) == ["_get_paths_and_endpoints"]
    assert hasattr(AutoSchema, "_map_serializer_field")


def test_drf_and_django_still_keep_a_request_and_its_stream() -> None:
    request = Request(RequestFactory().post("/", b"body", content_type="application/json"))
    assert request._request._stream.read() == b"body"


def test_django_still_keeps_pools_by_alias_and_marks_the_blocks_of_test_cases() -> None:
    assert isinstance(DatabaseWrapper._connection_pools, dict)  # type: ignore[attr-defined]
    assert "_from_testcase" in TestCase._enter_atomics.__func__.__code__.co_names  # type: ignore[attr-defined]


def test_httpx_still_takes_its_connections_from_a_pool_that_can_be_set() -> None:
    transport = httpx.HTTPTransport()
    use_pool(transport, "a pool")
    assert transport._pool == "a pool"  # type: ignore[comparison-overlap]


def test_granian_still_has_the_parts_that_are_set() -> None:
    server: Any = Granian("config.wsgi:application", interface=Interfaces.WSGI)
    share(server, None, lambda: None)  # type: ignore[arg-type] # no worker starts
    hold_signals_back(server)
    with pytest.raises(RuntimeError, match="_spawn_worker"):
        hold_signals_back(object())
