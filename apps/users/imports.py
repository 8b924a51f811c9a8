"""Importing users from CSV (header `email,name`) or NDJSON, as a stream.

A bad line is refused with its number and reason and the others go on; a file that is neither is refused
whole. Batches are transactions: each batch's users, their events, what was refused and the checkpoint are kept
together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from time import monotonic
from typing import Any, BinaryIO

import structlog

from apps.core.bus import bus, unit_of_work
from apps.core.context import span
from apps.core.errors import FieldProblem
from apps.core.refused_lines import Refusal
from apps.users import rules
from apps.users.commands import ImportUsers
from apps.users.errors import NotKept
from apps.users.import_lines import CHARSETS, CSV_TYPE, NDJSON_TYPE, Line, NotImportable, read_lines
from apps.users.queries import FindMadeSince, GetTime

__all__ = ["CHARSETS", "CSV_TYPE", "NDJSON_TYPE", "NotImportable", "Tally", "import_users"]

log = structlog.get_logger("imports")
# a batch should take about a second on any machine: far less than the lease of a job, or its time limit
FIRST_BATCH_LINES, BATCH_LINES = 500, 5000
BATCH_SECONDS = 1.0
LISTED_ERRORS = 1000
IN_FILE, IN_DATABASE = "in_file", "in_database"
TAKEN = {
    IN_FILE: "This e-mail is in the file a second time.",
    IN_DATABASE: "There is already a user with this e-mail.",
}


NOT_KEPT = FieldProblem("", "invalid", str(NotKept()))


@dataclass
class Tally:
    """The result so far; `errors` lists the first thousand refused lines, `duplicates` counts the e-mails taken."""

    total: int = 0
    created: int = 0
    rejected: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    duplicates: dict[str, int] = field(default_factory=lambda: {IN_FILE: 0, IN_DATABASE: 0})

    def refuse(self, refused: Sequence[Refusal]) -> None:
        """Count lines that are not imported."""
        self.rejected += len(refused)
        self.errors += [refusal._asdict() for refusal in refused[: LISTED_ERRORS - len(self.errors)]]


Report = Callable[[Tally, Sequence[Refusal]], None]


def import_users(
    stream: BinaryIO,
    kind: str,
    tally: Tally | None = None,
    report: Report = lambda tally, refused: None,
    since: datetime | None = None,
    charset: str = "utf-8",
) -> Tally:
    """Import the lines of `stream` and return the result; with the `tally` of an earlier attempt go on where it ended.

    `report` is called in each batch's transaction with the tally and the batch's refusals. `since` is when the import
    first began by the database's clock (default now): e-mails taken later count as the file's own.
    Raises NotImportable.
    """
    tally = tally or Tally()
    since = since or bus.ask(GetTime())
    lines = islice(read_lines(stream, kind, charset), tally.total, None)
    size = min(FIRST_BATCH_LINES, BATCH_LINES)
    while batch := list(islice(lines, size)):
        began = monotonic()
        with span("batch", attributes={"app.rows": len(batch)}), unit_of_work():
            report(tally, _import_batch(batch, tally, since))
        size = _next_size(size, monotonic() - began)
    if not tally.total:
        raise NotImportable("The file has no lines to import.")
    return tally


def _next_size(size: int, seconds: float) -> int:
    """How many lines the next batch has, after one of `size` lines that took `seconds`."""
    if seconds > BATCH_SECONDS:
        return max(1, size // 2)
    return min(2 * size, BATCH_LINES) if seconds < BATCH_SECONDS / 2 else size


def _import_batch(batch: Sequence[Line], tally: Tally, since: datetime) -> list[Refusal]:
    lines = [checked(line) for line in batch]
    made, failed = _made([line for line in lines if line.problem is None])
    lines = [failed.get(line.number, line) for line in lines]
    good = [line for line in lines if line.problem is None]
    taken = {line.email.lower() for line in good} - made
    seen = bus.ask(FindMadeSince(frozenset(taken), since)) if taken else set()
    refused = []
    for line in lines:
        email = line.email.lower()
        if line.problem:
            refused.append(Refusal(line.number, line.problem.code, line.problem.detail))
        elif email in made:
            made.discard(email)
            seen.add(email)
            tally.created += 1
        else:
            where = IN_FILE if email in seen else IN_DATABASE
            tally.duplicates[where] += 1
            refused.append(Refusal(line.number, "email_taken", TAKEN[where]))
    tally.total += len(lines)
    tally.refuse(refused)
    return refused


def _made(lines: Sequence[Line]) -> tuple[set[str], dict[int, Line]]:
    """Make users; returns their e-mails in lower case, and the lines that the database refuses, by number.

    One line's error fails only that line: what fails together is tried again in halves.
    """
    if not lines:
        return set(), {}
    try:
        return bus.execute(ImportUsers(tuple((line.email, line.name) for line in lines))), {}
    except NotKept as error:
        if len(lines) == 1:
            log.warning("import_line_failed", line=lines[0].number, exc_info=error.__cause__)
            return set(), {lines[0].number: lines[0]._replace(problem=NOT_KEPT)}
    half = len(lines) // 2
    (made, failed), (more_made, more_failed) = _made(lines[:half]), _made(lines[half:])
    return made | more_made, failed | more_failed


def checked(line: Line) -> Line:
    """The line with its values as they are kept, or with the first problem they have."""
    if line.problem:
        return line
    try:
        email, name = rules.clean_email(line.email), line.name.strip()
        return Line(line.number, email, name, rules.email_problem(email) or rules.name_problem(name))
    except ValueError:
        return line._replace(problem=NOT_KEPT)
