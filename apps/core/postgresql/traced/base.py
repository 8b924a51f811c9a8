"""The service's PostgreSQL backend, with a span for each trip to the database.

A span shows the statements of its trip with placeholders, never the values, which are people's data: with what travels
in front of a statement (see trips.py) come the texts that were to be filled in, not the filled-in ones. What is asked
outside any span is not traced.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from apps.core.context import Span, recorded, span
from apps.core.postgresql import base

LONGEST_TEXT = 2000
# a name before a bracket is a table in INSERT INTO, and a function elsewhere
TABLE = re.compile(r'\b(?:(?:INTO|UPDATE)\s+"?(\w+)|(?:FROM|JOIN)\s+"?(\w+)\b(?!\s*\())', re.IGNORECASE)
SYSTEM = "postgresql"


class Filled(str):
    """A statement with its values, that knows its text without them."""

    text: str


class DatabaseWrapper(base.DatabaseWrapper):
    """A database connection whose trips are spans."""

    def kind_of_cursor(self, kind: Any) -> Any:
        return traced(super().kind_of_cursor(kind))

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        # waits here, if the pool has none to give
        with span("connect", "client", {"db.system.name": SYSTEM}):
            return super().get_new_connection(conn_params)

    def _commit(self) -> None:
        # what waits is sent with it, by a cursor, which makes the span
        if self.connection and self.connection.waiting:
            super()._commit()
            return
        with trip("COMMIT"):
            super()._commit()

    def _rollback(self) -> None:
        with trip("ROLLBACK"):
            super()._rollback()


@cache
def traced(kind: type[Any]) -> type[Any]:
    """A subclass of the psycopg cursor class `kind`, of which each trip is a span."""

    class TracedCursor(kind):  # type: ignore[misc] # of a class that is not known before
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            if not recorded():
                return super().execute(query, params, **options)
            before = [getattr(sql, "text", sql) for sql in self.connection.waiting]
            with trip(*before, text(query)):
                return super().execute(query, params, **options)

        def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
            with trip(text(query)):
                super().executemany(query, params_seq, **options)

        def mogrify(self, query: Any, params: Any = None) -> str:
            filled = Filled(super().mogrify(query, params))
            filled.text = text(query)
            return filled

    return TracedCursor


def trip(*texts: str) -> Span:
    """The span of one trip with these statements."""
    facts = {"db.system.name": SYSTEM, "db.query.text": ";\n".join(one for one in texts if one)[:LONGEST_TEXT]}
    return span(name(texts), "client", facts)


def name(texts: tuple[str, ...]) -> str:
    """What the statements do in two words, the last of those that do something: "INSERT users_user"."""
    summaries = [summary(one) for one in texts if one]
    return next((one for one in reversed(summaries) if " " in one), summaries[-1] if summaries else "SQL")


@lru_cache(maxsize=1024)
def summary(sql: str) -> str:
    """The statement's first word, and the first table in it."""
    word, table = sql.split(None, 1)[0].upper().strip('("'), TABLE.search(sql)
    return f"{word} {table[1] or table[2]}" if table else word


def text(query: Any) -> str:
    """The statement without values, on one line."""
    # anything but a str may contain values
    return one_line(query) if type(query) is str else type(query).__name__


@lru_cache(maxsize=1024)
def one_line(sql: str) -> str:
    """`sql` with one space for each stretch of space."""
    return " ".join(sql.split())
