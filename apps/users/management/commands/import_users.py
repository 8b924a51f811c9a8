"""manage.py import_users"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from apps.core.cli import Command as BaseCommand
from apps.users.imports import CSV_TYPE, NDJSON_TYPE, NotImportable, Tally, import_users

SHOWN_ERRORS = 20
REFUSED_STATUS = 3


class Command(BaseCommand):
    help = "Import users from CSV (header email,name) or NDJSON; exits with 3 where lines were refused."
    example = "manage.py import_users people.csv"
    prints_data = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a .csv, .ndjson or .jsonl file, or - for standard input")
        parser.add_argument("--ndjson", action="store_true", help="standard input is NDJSON, not CSV")

    def run(self, **options: Any) -> None:
        name = options["file"]
        is_ndjson = options["ndjson"] or Path(name).suffix in (".ndjson", ".jsonl")
        kind = NDJSON_TYPE if is_ndjson else CSV_TYPE
        try:
            if name == "-":
                tally = self._import(sys.stdin.buffer, kind, 0)
            else:
                with Path(name).open("rb") as stream:
                    tally = self._import(stream, kind, Path(name).stat().st_size)
        except OSError as error:
            raise CommandError(f"{name} cannot be read: {error.strerror}") from error
        except NotImportable as error:
            raise CommandError(f"{name}: {error}") from error
        self._tell(tally, as_json=options["json"])
        if tally.rejected:
            sys.exit(REFUSED_STATUS)

    def _import(self, stream: BinaryIO, kind: str, size: int) -> Tally:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("bytes", total=size or None)

            def report(tally: Tally) -> None:
                position = stream.tell() if size else tally.total
                progress.update(bar, completed=position, description=f"{tally.total:,} lines")

            return import_users(stream, kind, report=report)

    def _tell(self, tally: Tally, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(tally), indent=2))
            return
        self.stdout.write(f"{tally.total} lines: {tally.created} created, {tally.rejected} rejected")
        for error in tally.errors[:SHOWN_ERRORS]:
            self.stdout.write(f"  line {error['line']}: {error['detail']}")
        if tally.rejected > SHOWN_ERRORS:
            self.stdout.write(f"  and {tally.rejected - SHOWN_ERRORS} more; --json lists up to 1,000")
