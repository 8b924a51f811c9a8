"""manage.py relay"""

from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from apps.core.cli import Command as BaseCommand
from apps.core.telemetry import pulse
from apps.core.telemetry.exposition import listen
from apps.events.relay import Relay


class Command(BaseCommand):
    help = "Take committed events out of the outbox, make their deliveries, wake the workers. Runs until SIGTERM."
    example = "manage.py relay --once"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="work off what is there now, then exit")

    def run(self, **options: Any) -> None:
        relay = Relay()
        if options["once"]:
            events = 0
            while taken := relay.turn():
                events += taken
            self.stdout.write(f"{events} events relayed")
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: relay.stop.set())
        listen(*settings.METRICS_ADDRESS)
        pulse.start("relay", pulse.touch_heartbeat)
        relay.run()
