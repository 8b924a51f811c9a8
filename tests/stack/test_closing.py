"""The commands that `make run` prints: tests/stack/test_run.py runs them, and the README shows the first ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.stack.closing import breaking_commands, first_commands
from config.stack.plan import Plan
from tests.processes import ROOT

PEOPLE = {"EXTERNAL_API_URL": "http://127.0.0.1:9", "EXTERNAL_API_KEY": "its-key"}


def test_the_readme_shows_the_first_ones() -> None:
    readme = (ROOT / "README.md").read_text()
    usual = Plan("127.0.0.1", 8000, ROOT / ".local", Path("metrics"))
    assert "".join(f"    {command}\n" for command in first_commands(usual, demo=True)) in readme


def test_they_lead_to_this_copy_and_need_no_demo_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXTERNAL_API_KEY", raising=False)
    other = Plan("127.0.0.1", 8001, tmp_path / "my state", Path("metrics"))
    manage = f"STATE_DIR='{tmp_path}/my state' .venv/bin/python manage.py"
    first, breaking = first_commands(other, demo=False), breaking_commands(other, PEOPLE)
    assert f"TOKEN=$({manage} issue_token ada@example.com)" in first
    assert not any("admin" in command for command in (*first, *breaking))
    assert f"sleep 5; {manage} breakers" in breaking
    assert all(":8001/" in command for command in (*first, *breaking) if "/api/" in command)


def test_a_key_of_ones_own_is_not_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXTERNAL_API_KEY", PEOPLE["EXTERNAL_API_KEY"])
    commands = breaking_commands(Plan("127.0.0.1", 8000, tmp_path, tmp_path), PEOPLE)
    assert "its-key" not in "".join(commands)
    assert sum("Bearer $EXTERNAL_API_KEY" in command for command in commands) == 2
