"""manage.py create_user"""

from __future__ import annotations

import dataclasses
import getpass
import sys
from typing import Any

from django.core.management.base import CommandParser

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.users.commands import RegisterUser


class Command(BaseCommand):
    help = "Make a user."
    example = "manage.py create_user ada@example.com --name Ada --staff --password-stdin < password.txt"
    prints_data = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", required=True)
        parser.add_argument("--staff", action="store_true", help="may use the admin and see every user")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def run(self, **options: Any) -> None:
        password = read_password() if options["password_stdin"] else None
        command = RegisterUser(options["email"], options["name"], password, is_staff=options["staff"], verified=True)
        user = bus.execute(command)
        self.show([{**dataclasses.asdict(user)}], as_json=options["json"])


def read_password() -> str:
    """The password: asked for without an echo, or the first line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\r\n")
