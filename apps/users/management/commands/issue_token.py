"""manage.py issue_token"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.users.commands import IssueToken


class Command(BaseCommand):
    help = "Print an access token for a user, without their password."
    example = "manage.py issue_token ada@example.com"
    prints_data = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def run(self, **options: Any) -> None:
        token = bus.execute(IssueToken(options["email"]))
        self.stdout.write(json.dumps({"access": token}) if options["json"] else token)
