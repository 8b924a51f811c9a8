"""manage.py changepassword"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.users.commands import SetPassword
from apps.users.management.commands.create_user import read_password
from apps.users.queries import FindUser


class Command(BaseCommand):
    help = "Give a user a new password, read from standard input; every login made with the old one ends."
    example = "manage.py changepassword ada@example.com < password.txt"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def run(self, **options: Any) -> None:
        user_id = bus.ask(FindUser(options["email"]))
        bus.execute(SetPassword(user_id, read_password()))
        self.stdout.write("The password is changed, and every login made with the old one has ended.")
