"""Reads that are compiled once: the ORM writes the SQL, and after that only the values change.

Building and compiling a QuerySet costs more than PostgreSQL takes to answer it. A CompiledRead follows the models like
any QuerySet, but pays for that once per process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)
# counting stops here: nobody acts differently on more, and the statement stays short however large the table
CAP = 10_000


@dataclass(frozen=True)
class Cursor:
    """A place in a list: rows after `key` (`forward`), or before it."""

    key: int
    forward: bool = True


def newest_first(rows: QuerySet[M], cursor: Cursor | None) -> QuerySet[M]:
    """`rows` from `cursor` on in reading order: newest first, or back from the cursor."""
    if cursor is None:
        return rows.order_by("-id")
    if cursor.forward:
        return rows.filter(id__lt=cursor.key).order_by("-id")
    return rows.filter(id__gt=cursor.key).order_by("id")


class CompiledRead:
    """A `values()` QuerySet, compiled with a stand-in for each value that changes.

    `stand_ins` maps a name to the value that stands for it in `rows`; each must be unlike any other value there.
    """

    def __init__(self, rows: QuerySet[Any, Any], **stand_ins: Any) -> None:
        names = {value: name for name, value in stand_ins.items()}
        self._sql, parameters = rows.query.get_compiler("default").as_sql()
        self._parameters = [(names.get(value), value) for value in parameters]
        self._columns = tuple(rows.query.selected or ())

    def statement(self, **values: Any) -> tuple[str, list[Any]]:
        """The SQL and its parameters for `values`, one for each name of the stand-ins."""
        return self._sql, [value if name is None else values[name] for name, value in self._parameters]

    def fetch(self, **values: Any) -> list[dict[str, Any]]:
        """The rows for `values`."""
        # the service's own backend has a cheaper kind of cursor for what needs nothing else
        with getattr(connection, "reading_cursor", connection.cursor)() as cursor:
            cursor.execute(*self.statement(**values))
            return [dict(zip(self._columns, row, strict=True)) for row in cursor.fetchall()]
