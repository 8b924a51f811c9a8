"""The commands that `make run` prints: tests/stack/test_run.py runs them, and the README shows the first ones."""

from __future__ import annotations

from pathlib import Path

from config.stack.closing import first_commands
from config.stack.plan import Plan
from tests.processes import ROOT


def test_the_readme_shows_the_first_ones() -> None:
    readme = (ROOT / "README.md").read_text()
    usual = Plan("127.0.0.1", 8000, ROOT / ".local", Path("metrics"))
    assert "".join(f"    {command}\n" for command in first_commands(usual, demo=True)) in readme


def test_they_lead_to_this_copy_and_need_no_demo_login(tmp_path: Path) -> None:
    other = Plan("127.0.0.1", 8001, tmp_path / "my state", Path("metrics"))
    manage = f"STATE_DIR='{tmp_path}/my state' .venv/bin/python manage.py"
    first = first_commands(other, demo=False)
    assert f"TOKEN=$({manage} issue_token $ADA)" in first
    assert not any("admin" in command for command in first)
    assert all(":8001/" in command for command in first if "/api/" in command)
