"""Fewer trips to the database: a statement whose answer nobody waits for travels in front of the next one.

BEGIN is such a statement, and so is an INSERT that is written for later. They are sent together as one query of
PostgreSQL's simple protocol, which runs them in order and stops at the first error; the next statement raises it.
Source: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any


def send_later(connection: Any, sql: str, params: Sequence[Any] | None = None) -> None:
    """Send `sql` in front of the next statement of the psycopg `connection`, COMMIT included."""
    connection.waiting.append(sql if params is None else connection.cursor().mogrify(sql, params))


@cache
def together(kind: type[Any]) -> type[Any]:
    """A subclass of psycopg's ClientCursor class `kind` that takes along what waits on its connection."""

    class TakesAlong(kind):  # type: ignore[misc] # of a class that is not known before
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            # none yet, while Django tells a new connection of a pool its time zone
            waiting = getattr(self.connection, "waiting", None)
            if not waiting:
                return super().execute(query, params, **options)
            # may raise, for a value that PostgreSQL cannot keep: then nothing was sent
            query = ";".join([*waiting, self.mogrify(query, params)])
            number = len(waiting)
            waiting.clear()
            super().execute(query, None, **options)
            for _ in range(number):
                self.nextset()
            return self

        def executemany(self, *arguments: Any, **options: Any) -> None:
            flush(self.connection)
            super().executemany(*arguments, **options)

        def copy(self, *arguments: Any, **options: Any) -> Any:
            flush(self.connection)
            return super().copy(*arguments, **options)

        def stream(self, *arguments: Any, **options: Any) -> Any:
            flush(self.connection)
            return super().stream(*arguments, **options)

    return TakesAlong


def flush(connection: Any) -> None:
    """Send what waits on the psycopg `connection` by itself."""
    if connection.waiting:
        # in front of nothing: as a query of its own its values could come into the log of slow ones
        connection.cursor().execute("")
