"""manage.py breakers"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.core.resilience.breakers import GetBreakers, ResetBreaker


class Command(BaseCommand):
    help = "The circuit breakers and their states: closed, open, half_open."
    example = "manage.py breakers --reset people"
    prints_data = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reset", metavar="NAME", help="close this breaker at once, for every process")

    def run(self, **options: Any) -> None:
        if options["reset"] is not None:
            bus.execute(ResetBreaker(options["reset"]))
        rows = [{"name": name, "state": state} for name, state in bus.ask(GetBreakers()).items()]
        self.show(rows, as_json=options["json"])
