"""Each pattern taken elsewhere: the files its registry entry lists work in an empty Django project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from apps.core.patterns import PATTERNS, Pattern
from tests.processes import ROOT

SCRIPTS = Path(__file__).parent / "scripts"
# what is worth taking besides the twelve, and how many files the largest of each may need
ALSO = {
    "idempotency": (
        "apps/core/api/idempotency.py",
        "apps/core/crypto.py",
        "apps/core/models.py",
    )
}
AT_MOST = {
    "retry": 1,
    "circuit breaker": 3,
    "CQRS": 3,
    "repository": 2,
    "API versioning": 2,
    "middleware": 4,
    "idempotency": 4,
    # with the order of lines, which has a file of its own
    "event bus": 9,
    "settings": 3,
}
TAKEN = {pattern.name: pattern.take for pattern in PATTERNS} | ALSO


def take_home(name: str, project: Path) -> None:
    """Copy the files of `name` into `project`, at the paths they have here."""
    for path in TAKEN[name]:
        target = project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
        for folder in [target.parent, *target.parent.relative_to(project).parents]:
            (project / folder / "__init__.py").touch()
    (project / "__init__.py").unlink(missing_ok=True)


def script_of(name: str) -> Path:
    """The program that uses the pattern once."""
    return SCRIPTS / f"{name.lower().replace(' ', '_')}.py"


@pytest.mark.parametrize("name", TAKEN)
def test_it_works_in_an_empty_project(name: str, tmp_path: Path, django_db_setup: None) -> None:
    take_home(name, tmp_path)
    shutil.copy(script_of(name), tmp_path / "use.py")
    database = connection.settings_dict
    environment = {
        "PATH": os.environ["PATH"],
        "REDIS_URL": settings.ENV.redis_url,
        # libpq's own names
        **{f"PG{name}": str(database[name]) for name in ("HOST", "PORT", "USER", "PASSWORD")},
        "PGDATABASE": str(database["NAME"]),
    }
    command = [sys.executable, "use.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("used\n"), done.stdout


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_each_pattern_says_what_to_take(pattern: Pattern) -> None:
    assert pattern.take
    assert [path for path in pattern.take if not (ROOT / path).is_file()] == []


def test_there_are_not_more_files_than_one_carries() -> None:
    assert {name: len(TAKEN[name]) for name, most in AT_MOST.items() if len(TAKEN[name]) > most} == {}
