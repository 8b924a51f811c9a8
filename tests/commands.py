"""manage.py as people type it: what it prints, and how it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints."""
    capsys.readouterr()
    call_command(*words)
    return capsys.readouterr().out


def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """What it prints with --json."""
    return json.loads(run(capsys, *words, "--json"))


def refusal(*words: str) -> str:
    """The one line that the command ends with."""
    with pytest.raises(CommandError) as refused:
        call_command(*words)
    message = str(refused.value)
    assert message
    assert "\n" not in message
    return message
