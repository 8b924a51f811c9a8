"""The work of a trace as a tree, to be compared."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.traces.collector import Collector, Seen, statement
from tests.waiting import wait_for


def query(span: Seen) -> bool:
    """Whether it is a question to the bus."""
    return bool(span.attributes.get("app.message") == "query")


def ordered(names: list[Any]) -> list[Any]:
    """A tree without the order in which its branches began."""
    return sorted(([one[0], ordered(one[1])] if isinstance(one, list) else one for one in names), key=repr)


def work_of(collector: Collector, trace_id: str) -> list[Seen]:
    """A trace without its statements and queries, which change with the code that asks."""
    return [span for span in collector.of(trace_id) if not statement(span) and not query(span)]


def comes_to(now: Callable[[], list[Any]], expected: list[Any]) -> None:
    """Wait until the tree is as expected; if it never is, say how it is."""
    with suppress(AssertionError):
        wait_for(lambda: ordered(now()) == ordered(expected), "the tree", 30)
    assert ordered(now()) == ordered(expected)
