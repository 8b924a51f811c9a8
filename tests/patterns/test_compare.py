"""The naive version beside ours: each run has to show what the pattern is for, on both sides."""

from __future__ import annotations

from typing import Any

import pytest

from config.compare.run import compare

PATTERNS = (
    "background tasks",
    "structured logging",
    "event bus",
    "API versioning",
    "middleware",
    "settings",
    "dependency injection",
    "circuit breaker",
    "CQRS",
    "retry",
    "repository",
    "service layer",
)


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    """The outcome of every comparison, all of them run once."""
    return {result["pattern"]: result for result in compare(PATTERNS)}


@pytest.mark.parametrize("name", PATTERNS)
def test_ours_keeps_the_promise_and_the_naive_version_breaks_it(results: dict[str, dict[str, Any]], name: str) -> None:
    assert results[name]["kept"], results[name]
