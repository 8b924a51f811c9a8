"""What every manage.py command here shares: one clear line on bad input, tables for people, JSON for scripts."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from apps.core.errors import DomainError
from apps.core.outages import is_outage, sqlstate

WIDEST = 10_000
INTERRUPTED = 128 + signal.SIGINT


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class Command(BaseCommand):
    """Base of the commands; a subclass has `help`, an `example` and `run`."""

    example = ""
    prints_data = False
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, epilog=f"Example: {self.example}", **kwargs)
        if self.prints_data:
            parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command; a refusal or an unreachable database is one line on stderr and a non-zero exit."""
        for name, value in options.items():
            if isinstance(value, str) and not _is_text(value):
                raise CommandError(f"{name} must be text in UTF-8.")
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.run(**options)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except DomainError as error:
            raise CommandError(str(error)) from error
        except (DatabaseError, psycopg.Error) as error:
            if not is_outage(error):
                raise
            said = "cannot do this now" if sqlstate(error) else "does not answer"
            first_line = str(error).strip().partition("\n")[0]
            raise CommandError(f"The database {said}: {first_line}") from error
        except BrokenPipeError:
            sys.stderr.close()

    def run(self, **options: Any) -> None:
        """Do the command's work."""
        raise NotImplementedError

    def show(self, rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str = "nothing") -> None:
        """Print `rows` as a table, or as a JSON list."""
        if as_json:
            self.stdout.write(json.dumps(rows, default=str, indent=2))
            return
        if not rows:
            self.stdout.write(empty)
            return
        self.stdout.write(_drawn(rows), ending="")


def _drawn(rows: Sequence[Mapping[str, Any]]) -> str:
    # a service, and whoever prints no table, need not load these
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for name in rows[0]:
        # in a str rich looks for emoji, and loads a table of thousands for that
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*[Text("" if value is None else str(value)) for value in row.values()])
    # in a pipe rich assumes 80 columns and would fold the cells
    console = Console() if sys.stdout.isatty() else Console(width=WIDEST)
    with console.capture() as drawn:
        console.print(table)
    return drawn.get()
