"""The table of POST /process, `{"rows": [{…}, …]}`, read as a stream: strict JSON in bounded memory.

apps/jobs/json_text.py knows what JSON is; this module knows what a table is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from apps.core.errors import FieldProblem, Invalid, pointer_step
from apps.jobs.json_text import NotJson, Text

__all__ = ["NotJson", "read_table"]

MOST_PROBLEMS = 10
TWICE = "stands more than once in its object"


def read_table(stream: IO[bytes]) -> Iterator[list[dict[str, Any]]]:
    """The rows of the table in `stream`, some at a time.

    Raises NotJson at once; and Invalid with up to ten problems, at the end or at the tenth: rows that are not objects,
    names that stand twice, members besides `rows`.
    """
    problems = Problems()
    with Text.of(stream) as text:
        names: set[str] = set()
        text.expect("{", "The body must be a JSON object.")
        while text.next() != "}":
            if names:
                text.expect(",")
            name = text.name()
            if name in names:
                problems.add(pointer_step(name), "duplicate_name", TWICE)
            names.add(name)
            if name == "rows" and text.next() == "[":
                yield from _rows(text, problems)
                continue
            if name == "rows":
                problems.add("/rows", "required", "must be a list of objects")
            else:
                problems.add(pointer_step(name), "unknown", "There is no such member; there is rows.")
            text.value()
        text.expect("}")
        text.end()
        if "rows" not in names:
            problems.add("/rows", "required", "must be a list of objects")
    problems.refuse()


class Problems(list[FieldProblem]):
    """What is wrong so far."""

    def add(self, pointer: str, code: str, detail: str) -> None:
        """Note one more. Raises Invalid with the tenth."""
        self.append(FieldProblem(pointer, code, detail))
        if len(self) == MOST_PROBLEMS:
            self.refuse()

    def refuse(self) -> None:
        """Raises Invalid if there are any."""
        if self:
            raise Invalid(list(self))


def _rows(text: Text, problems: Problems) -> Iterator[list[dict[str, Any]]]:
    text.expect("[")
    number = 0
    while text.next() != "]":
        if number:
            text.expect(",")
        values, twice = text.values()
        if twice:
            row, _, rest = twice[1:].partition("/")
            problems.add(f"/rows/{number + int(row)}/{rest}", "duplicate_name", TWICE)
        rows = [value for value in values if isinstance(value, dict)]
        if len(rows) < len(values):
            for index, value in enumerate(values, start=number):
                if not isinstance(value, dict):
                    problems.add(f"/rows/{index}", "not_an_object", "must be an object")
        number += len(values)
        yield rows
    text.expect("]")
