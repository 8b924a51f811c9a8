"""Fixtures of the tests of settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.env import Settings
from config.load import load
from config.reader import SettingsError
from tests.patterns.test_settings import GOOD, variables_read

Refusal = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    """Nothing here needs Valkey."""


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of `.env`, empty; none of our variables is set, and what a test reads in is forgotten after it."""
    for name in variables_read():
        # first set, so that monkeypatch notes what to restore
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr("config.env.ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """The settings of production in a good environment, changed by what is given."""

    def read(**more: str) -> Settings:
        for name, value in {**GOOD, **more}.items():
            monkeypatch.setenv(name, value)
        return load("production")

    return read


@pytest.fixture
def refusal(production: Callable[..., Settings]) -> Refusal:
    """The problems of such settings."""

    def read(**more: str) -> list[str]:
        with pytest.raises(SettingsError) as refused:
            production(**more)
        problems: Any = refused.value.problems
        return list(problems)

    return read
