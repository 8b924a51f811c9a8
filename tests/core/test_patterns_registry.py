"""The registry of patterns, the files it names, the README's table and manage.py say the same."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils.html import escape

from apps.core.patterns import PATTERNS, Pattern
from tests.processes import ROOT

TABLE = re.compile(
    r"^\| *pattern *\|[^|]*idiom *\| *file *\| *test *\| *when not[^|]*\|\n\|[ :|-]+\|\n((?:\|.*\|\n)+)",
    re.MULTILINE | re.IGNORECASE,
)


def readme_rows() -> list[list[str]]:
    """The rows of the README's table of patterns, each cell without its Markdown."""
    table = TABLE.search((ROOT / "README.md").read_text())
    assert table, "the README has no table | pattern | idiom | file | test | when not |"
    return [[plain(cell) for cell in row.strip().strip("|").split("|")] for row in table[1].splitlines()]


def plain(cell: str) -> str:
    """A Markdown cell's text: links by their target if that is a file, no backticks, no emphasis."""
    cell = re.sub(r"\[[^\]]*\]\(([^)]+)\)", r"\1", cell) if re.search(r"\]\([\w./]+\.py\)", cell) else cell
    return re.sub(r"[`*]|\[|\]\([^)]*\)", "", cell).strip()


@pytest.mark.skipif(not (ROOT / "apps" / "jobs").is_dir(), reason="jobs have been taken out, and their pattern")
def test_there_are_twelve() -> None:
    assert len({pattern.name for pattern in PATTERNS}) == len(PATTERNS) == 12


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_each_names_files_that_are_there(pattern: Pattern) -> None:
    assert (ROOT / pattern.file).is_file()
    assert (ROOT / pattern.test).is_file()
    assert pattern.idiom
    assert pattern.when_not


def test_each_has_a_test_of_its_own_and_no_test_is_left_over() -> None:
    named = [pattern.test for pattern in PATTERNS]
    assert sorted(named) == sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/patterns/test_*.py"))


def test_the_readme_shows_the_same_table() -> None:
    assert readme_rows() == [list(pattern[:-1]) for pattern in PATTERNS], "all but the files to take"


def test_the_command_prints_the_same() -> None:
    printed = StringIO()
    call_command("patterns", "--json", stdout=printed)
    rows = json.loads(printed.getvalue())
    assert rows == [{**p._asdict(), "take": list(p.take)} for p in PATTERNS]


def test_the_tables_for_people_are_whole() -> None:
    printed = StringIO()
    call_command("patterns", stdout=printed)
    for pattern in PATTERNS:
        assert pattern.name in printed.getvalue()
        assert pattern.test in printed.getvalue()
        assert all(path in printed.getvalue() for path in pattern.take)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_the_tour_shows_it(client: Client, pattern: Pattern) -> None:
    assert f'href="/patterns/{pattern.slug}"' in client.get("/").content.decode()
    page = client.get(f"/patterns/{pattern.slug}").content.decode()
    assert all(said in page for said in (escape(pattern.idiom), pattern.file, pattern.test))
