"""A port that was drawn belongs to who drew it, though no server listens on it yet."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from config.server import ports
from tests.processes import ROOT

DRAW = "import random; random.seed(7); from config.server.ports import free_port; print(free_port())"


def test_two_draws_never_give_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    first, drawn = ports.free_port(), random.randint
    numbers = [first, first]
    monkeypatch.setattr(random, "randint", lambda *bounds: numbers.pop() if numbers else drawn(*bounds))
    assert ports.free_port() != first


def test_nor_do_those_of_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = drawn_elsewhere()
    monkeypatch.setattr(random, "randint", lambda *_: theirs)
    assert ports.free_port() == theirs, "it is free again when who drew it has ended"
    assert drawn_elsewhere() != theirs


def drawn_elsewhere() -> int:
    """What another process draws, the same each time if it may."""
    command = [sys.executable, "-c", DRAW]
    return int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
