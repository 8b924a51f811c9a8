"""manage.py remove_second_factor"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.users.factor_commands import ResetTotp
from apps.users.queries import FindUser


class Command(BaseCommand):
    help = "Remove the second factor of a user who lost it, and end their sessions; make sure that it is them who asks."
    example = "manage.py remove_second_factor ada@example.com"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def run(self, **options: Any) -> None:
        bus.execute(ResetTotp(bus.ask(FindUser(options["email"]))))
        self.stdout.write("The second factor is removed, and every session of the user has ended.")
