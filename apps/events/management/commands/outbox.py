"""manage.py outbox"""

from __future__ import annotations

import getpass
import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.core.reads import CAP
from apps.events.commands import ReplayDeliveries
from apps.events.queries import GetBacklog


class Command(BaseCommand):
    help = "The outbox: what waits, how long it has been waiting, and the dead letters."
    example = "manage.py outbox --replay 17 18"
    prints_data = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--replay", metavar="ID", type=int, nargs="+", help="try these deliveries again at once")

    def run(self, **options: Any) -> None:
        by = f"manage.py outbox, as {getpass.getuser()}"
        replayed = bus.execute(ReplayDeliveries(tuple(options["replay"]), by)) if options["replay"] else 0
        backlog = bus.ask(GetBacklog())
        age = round((timezone.now() - backlog.oldest).total_seconds(), 1) if backlog.oldest else 0.0
        summary = {
            "unsequenced": backlog.unsequenced,
            "pending": backlog.states.get("pending", 0),
            "failed": backlog.states.get("failed", 0),
            "dead": backlog.states.get("dead", 0),
            "oldest_seconds": age,
        }
        if options["json"]:
            data = {**summary, "counted_up_to": CAP, "replayed": replayed, "dead_letters": backlog.dead}
            self.stdout.write(json.dumps(data, default=str, indent=2))
            return
        if replayed:
            self.stdout.write(f"{replayed} deliveries will be tried again")
        self.show([{name: _said(value) for name, value in summary.items()}], as_json=False)
        if backlog.dead:
            self.show(backlog.dead, as_json=False)


def _said(value: float) -> str:
    """A count is an integer, and goes no further than CAP."""
    return f"{CAP}+" if isinstance(value, int) and value > CAP else str(value)
