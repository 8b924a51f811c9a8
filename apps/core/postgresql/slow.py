"""Cursors that log a slow statement: its text with placeholders, never the values, which are people's data."""

from __future__ import annotations

from functools import cache
from time import perf_counter
from typing import Any

import structlog
from celery import current_app

from apps.core.context import current_route

log = structlog.get_logger("database")
LONGEST_TEXT = 2000


@cache
def timed(kind: type[Any], slow_ms: float) -> type[Any]:
    """A subclass of the psycopg cursor class `kind` that logs whatever takes `slow_ms` milliseconds or more."""
    seconds = slow_ms / 1000

    class TimedCursor(kind):  # type: ignore[misc] # of a class that is not known before
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            start = perf_counter()
            try:
                return super().execute(query, params, **options)
            finally:
                if (took := perf_counter() - start) >= seconds:
                    _tell(query, took)

        def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
            start = perf_counter()
            try:
                super().executemany(query, params_seq, **options)
            finally:
                if (took := perf_counter() - start) >= seconds:
                    _tell(query, took)

    return TimedCursor


def _tell(query: Any, seconds: float) -> None:
    # anything but a str may contain values
    text = " ".join(query.split()) if isinstance(query, str) else type(query).__name__
    log.warning(
        "slow_query",
        duration_ms=round(seconds * 1000, 1),
        sql=text[:LONGEST_TEXT],
        route=current_route() or None,
        task=task.name if (task := current_app.current_task) else None,
    )
