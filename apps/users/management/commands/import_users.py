"""manage.py import_users"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from apps.core.cli import Command as BaseCommand
from apps.core.refused_lines import HEADER, Refusal, as_csv
from apps.users.imports import CHARSETS, CSV_TYPE, NDJSON_TYPE, NotImportable, Report, Tally, import_users

SHOWN_ERRORS = 20
REFUSED_STATUS = 3
STOPPED_STATUS = 130


class Command(BaseCommand):
    help = (
        "Import users from CSV (header email,name) or NDJSON. Exit status: 0 every line was imported; "
        "1 the file or the database cannot be used; 2 wrong arguments; 3 some lines were refused; 130 Ctrl-C."
    )
    example = "manage.py import_users people.csv --errors refused.csv"
    prints_data = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a .csv, .ndjson or .jsonl file, or - for standard input")
        parser.add_argument("--ndjson", action="store_true", help="standard input is NDJSON, not CSV")
        parser.add_argument("--charset", default="utf-8", help=f"what the file is written in: {', '.join(CHARSETS)}")
        parser.add_argument("--errors", metavar="OUT.csv", help="write every refused line there: line, code, detail")

    def run(self, **options: Any) -> None:
        name = options["file"]
        is_ndjson = options["ndjson"] or Path(name).suffix.lower() in (".ndjson", ".jsonl")
        kind = NDJSON_TYPE if is_ndjson else CSV_TYPE
        charset = options["charset"].lower()
        known = CHARSETS if kind == CSV_TYPE else CHARSETS[:2]
        if charset not in known:
            raise CommandError(f"--charset for {kind} is one of: {', '.join(known)}")
        # the file to read comes first: if it cannot be read, the one to write stays unchanged
        with source(name) as stream, refused_lines(options["errors"]) as errors:
            tally = Tally()
            try:
                self._import(stream, kind, charset, tally, errors)
            except NotImportable as error:
                raise CommandError(f"{name}: {error}") from error
            except KeyboardInterrupt:
                hint = "run it again: whoever was imported is then refused as email_taken"
                raise CommandError(
                    f"stopped after about {tally.total} lines; {hint}", returncode=STOPPED_STATUS
                ) from None
        self._tell(tally, as_json=options["json"], listed=options["errors"])
        if tally.rejected:
            sys.exit(REFUSED_STATUS)

    def _import(self, stream: BinaryIO, kind: str, charset: str, tally: Tally, errors: BinaryIO | None) -> None:
        size = Path(stream.name).stat().st_size if stream is not sys.stdin.buffer else 0
        columns = (BarColumn(), TaskProgressColumn(show_speed=True), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("reading", total=size or None)
            report = reporter(stream, progress, bar, errors, measured=bool(size))
            import_users(stream, kind, tally, report, charset=charset)
            progress.update(bar, completed=size or tally.total, total=size or tally.total)

    def _tell(self, tally: Tally, *, as_json: bool, listed: str | None) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(tally), indent=2))
            return
        twice, taken = tally.duplicates.values()
        self.stdout.write(
            f"{tally.total} lines: {tally.created} created, {tally.rejected} rejected"
            f" ({twice} e-mails twice in the file, {taken} taken before)"
        )
        for error in tally.errors[:SHOWN_ERRORS]:
            self.stdout.write(f"  line {error['line']}: {error['detail']}")
        if tally.rejected > SHOWN_ERRORS:
            where = f"{listed} has them all" if listed else "--errors OUT.csv writes them all"
            self.stdout.write(f"  and {tally.rejected - SHOWN_ERRORS} more; {where}")


@contextmanager
def source(name: str) -> Iterator[Any]:
    """The file to import as a stream of bytes. Raises CommandError if it cannot be read."""
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(name).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}") from error
    with stream:
        yield stream


@contextmanager
def refused_lines(name: str | None) -> Iterator[Any]:
    """The file for refused lines, its header written; None without a name. Raises CommandError."""
    if name is None:
        yield None
        return
    try:
        output = Path(name).open("wb")  # noqa: SIM115 - closed below
        output.write(HEADER)
    except OSError as error:
        raise CommandError(f"{name} cannot be written: {error.strerror}") from error
    with output:
        yield output


def reporter(stream: BinaryIO, progress: Progress, bar: Any, errors: BinaryIO | None, *, measured: bool) -> Report:
    """Make the report that shows how far the import is, and writes what it refuses to `errors`."""

    def report(tally: Tally, refused: Sequence[Refusal]) -> None:
        if errors:
            errors.write(as_csv(refused))
        position = stream.tell() if measured else tally.total
        progress.update(bar, completed=position, description=f"{tally.total:,} lines")

    return report
