"""The contracts that the architecture check adds to import-linter's own, and what the tests of core may know."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from importlinter.domain.contract import ContractCheck

from apps.core.api.schema import document
from config.architecture import NoPersistence, persistence_in
from tests.processes import ROOT


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import django.db", "django.db"),
        ("from django import db", "django.db"),
        ("from django.db import connection", "django.db"),
        ("from django.db.models import Q", "django.db"),
        ("def late():\n    from django.db import models", "django.db"),
        ("User.objects.filter(id=1)", ".objects"),
        ("type(row)._default_manager.all()", "._default_manager"),
    ],
)
def test_persistence_is_found_wherever_it_stands(source: str, found: str) -> None:
    assert [what for _, what in persistence_in(source)] == [found]


@pytest.mark.parametrize(
    "source",
    ["from django.utils import timezone", "from django.dbs import x", "from .db import x", "self._users.get(1)"],
)
def test_rules_may_use_what_has_no_persistence(source: str) -> None:
    assert list(persistence_in(source)) == []


def checked(modules: list[str]) -> ContractCheck:
    options = {"type": "no_persistence", "modules": modules}
    return NoPersistence("a name", {"root_packages": ["apps"]}, options).check(grimp.build_graph("apps"), verbose=False)


def test_a_module_that_uses_the_orm_is_named_with_its_line() -> None:
    assert checked(["apps.users.services"]).kept
    broken = checked(["apps.*.repositories"])
    assert not broken.kept
    assert any(problem.startswith("apps.users.repositories, line ") for problem in broken.metadata["problems"])


KERNEL_TESTS = [path for folder in ("core", "things") for path in sorted((ROOT / "tests" / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", KERNEL_TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_kernel_is_tried_without_any_domain(path: Path) -> None:
    source = path.read_text()
    allowed = ("apps.core", "tests.core", "tests.things")
    foreign = [name for name in imported(source) if name.count(".") and not is_within(name, allowed)]
    assert not [name for name in foreign if name.startswith("apps.") or is_folder_of_tests(name)]
    routes = {route.split("/")[3] for route in document()["paths"]}
    assert not routes & set(re.findall(r"/api/v\d/([\w-]+)", source)), "routes of tests/things will do"


def imported(source: str) -> Iterator[str]:
    """The modules that Python `source` imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    return f"{name}.".startswith(tuple(f"{package}." for package in packages))


def is_folder_of_tests(name: str) -> bool:
    """Whether it stands in a folder of tests, and not in a helper beside them."""
    first, second, *_ = name.split(".")
    return first == "tests" and (ROOT / "tests" / second).is_dir()
