"""The contracts that the architecture check adds to import-linter's own."""

from __future__ import annotations

import grimp
import pytest
from importlinter.domain.contract import ContractCheck

from config.architecture import NoPersistence, persistence_in


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
