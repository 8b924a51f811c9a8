"""What `make run` plays the people directory with."""

from __future__ import annotations

from pathlib import Path

from config.stack.plan import Plan
from config.stack.stand_ins.people import stand_in


def test_its_commands_lead_to_this_copy(tmp_path: Path) -> None:
    plan, played = Plan("127.0.0.1", 8001, tmp_path / "my state", Path("metrics")), stand_in({})
    assert played
    commands = played.commands(plan)
    assert f"sleep 5; STATE_DIR='{tmp_path}/my state' .venv/bin/python manage.py breakers" in commands
    assert not any("admin" in command for command in commands)
    assert all(":8001/" in command for command in commands if "/api/" in command)
    key = played.settings["EXTERNAL_API_KEY"]
    assert sum(f"Bearer {key}" in command for command in commands) == 2
    assert played.child.environment["EXTERNAL_API_KEY"] == key


def test_a_key_of_ones_own_is_not_printed(tmp_path: Path) -> None:
    played = stand_in({"EXTERNAL_API_KEY": "its-key"})
    assert played
    assert played.settings["EXTERNAL_API_KEY"] == "its-key"
    commands = played.commands(Plan("127.0.0.1", 8000, tmp_path, tmp_path))
    assert "its-key" not in "".join(commands)
    assert sum("Bearer $EXTERNAL_API_KEY" in command for command in commands) == 2


def test_a_real_one_is_not_played() -> None:
    assert stand_in({"EXTERNAL_API_URL": "https://people.example.com"}) is None
