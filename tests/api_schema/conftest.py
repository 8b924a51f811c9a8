"""Fixtures of the tests of both documents, OpenAPI and AsyncAPI."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.npm import installed

TYPESCRIPT = Path(__file__).with_name("typescript")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The packages of npm that tests need."""
    return installed(TYPESCRIPT)
