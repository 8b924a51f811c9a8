"""Importing users from CSV (header `email,name`) or NDJSON, as a stream: the API's job, manage.py and the admin.

A bad line is refused with its number and reason and the others go on; a file that is no such file at all is refused
whole. Batches are transactions: each batch's users, their events and the checkpoint are kept together or not at all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

import orjson
from django.db import transaction

from apps.core.bus import bus
from apps.core.errors import FieldProblem
from apps.jobs.run import JobError, Run
from apps.users import rules
from apps.users.commands import ImportUsers

BATCH_LINES = 5000
LISTED_ERRORS = 1000
CSV_TYPE, NDJSON_TYPE = "text/csv", "application/x-ndjson"
HEADER = ("email", "name")


class NotImportable(JobError):
    """The file as a whole is none that can be imported; the message says why."""


class Line(NamedTuple):
    """One line of the file: an e-mail and a name, or what is wrong with it."""

    number: int
    email: str = ""
    name: str = ""
    problem: FieldProblem | None = None


@dataclass
class Tally:
    """The result so far; `errors` lists the first thousand refused lines."""

    total: int = 0
    created: int = 0
    rejected: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, line: int, code: str, detail: str) -> None:
        """Count a line that is not imported."""
        self.rejected += 1
        if len(self.errors) < LISTED_ERRORS:
            self.errors.append({"line": line, "code": code, "detail": detail})


def import_users(
    stream: BinaryIO, kind: str, tally: Tally | None = None, report: Callable[[Tally], None] = lambda tally: None
) -> Tally:
    """Import the lines of `stream` and return how that went; `tally` of an earlier attempt goes on where it ended.

    `report` is called in each batch's transaction. Raises NotImportable.
    """
    tally = tally or Tally()
    lines = islice(read_lines(stream, kind), tally.total, None)
    while batch := list(islice(lines, BATCH_LINES)):
        with transaction.atomic():
            _import_batch(batch, tally)
            report(tally)
    if not tally.total:
        raise NotImportable("The file has no lines to import.")
    return tally


def _import_batch(batch: list[Line], tally: Tally) -> None:
    good = [line for line in batch if line.problem is None]
    made = bus.execute(ImportUsers(tuple((line.email, line.name) for line in good))) if good else set()
    for line in batch:
        tally.total += 1
        if line.problem:
            tally.refuse(line.number, line.problem.code, line.problem.detail)
        elif (email := line.email.lower()) in made:
            made.discard(email)
            tally.created += 1
        else:
            tally.refuse(line.number, "email_taken", "There is already a user with this e-mail.")


def read_lines(stream: BinaryIO, kind: str) -> Iterator[Line]:
    """The lines of a file of media type `kind`, checked. Raises NotImportable."""
    text = _text(stream)
    try:
        yield from (_read_ndjson if kind == NDJSON_TYPE else _read_csv)(text)
    except UnicodeDecodeError as error:
        raise NotImportable(f"The file is not text in UTF-8: byte {error.start} of a piece makes no sense.") from None
    finally:
        # the stream is the caller's to close
        text.detach()


def _text(stream: BinaryIO) -> io.TextIOWrapper:
    start = stream.peek(4)[:2] if isinstance(stream, io.BufferedReader) else b""
    encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return io.TextIOWrapper(stream, encoding=encoding, newline="")


def _read_csv(text: io.TextIOWrapper) -> Iterator[Line]:
    reader = csv.reader(text, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
    except csv.Error as error:
        raise NotImportable(f"The first line is no CSV: {error}.") from None
    if not header or not set(HEADER) <= set(header):
        raise NotImportable("The first line must be the header email,name.")
    places = [header.index(name) for name in HEADER]
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(reader.line_num, problem=FieldProblem("", "malformed", f"This is no CSV: {error}."))
            continue
        if len(row) == len(header):
            yield checked(reader.line_num, row[places[0]], row[places[1]])
        elif row:
            detail = f"The line has {len(row)} values, the header {len(header)}."
            yield Line(reader.line_num, problem=FieldProblem("", "malformed", detail))


def _read_ndjson(lines: io.TextIOWrapper) -> Iterator[Line]:
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            data = orjson.loads(text)
            email, name = data["email"], data["name"]
        except (ValueError, TypeError, KeyError):
            email = name = None
        if isinstance(email, str) and isinstance(name, str):
            yield checked(number, email, name)
        else:
            detail = 'The line is no JSON object with the texts "email" and "name".'
            yield Line(number, problem=FieldProblem("", "malformed", detail))


def checked(number: int, email: str, name: str) -> Line:
    """The line with its values as they are kept, or with the first thing that is wrong with them."""
    email, name = rules.clean_email(email), name.strip()
    problem = rules.email_problem(email) or rules.name_problem(name)
    return Line(number, email, name, problem)


def run_import(run: Run) -> dict[str, Any]:
    """The job behind POST /users/import: `{total, created, rejected, errors}`; goes on from its last checkpoint."""
    tally = Tally(**run.checkpoint) if run.checkpoint else Tally()

    def report(tally: Tally) -> None:
        run.report(tally.total, checkpoint=asdict(tally))

    return asdict(import_users(run.upload(), run.input["kind"], tally, report))
