"""manage.py people"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.profiles.commands import ForgetPeople, ForgetPerson


class Command(BaseCommand):
    help = (
        "Forget what the people directory answered, so that it is asked again: for some e-mails, or for all. Profiles"
        " that were filled from it stay as they are."
    )
    example = "manage.py people --forget ada@example.com"
    prints_data = True

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--forget", metavar="EMAIL", nargs="+", help="forget the answers for these e-mails")
        which.add_argument("--forget-all", action="store_true", help="forget every answer")

    def run(self, **options: Any) -> None:
        if options["forget_all"]:
            keys = bus.execute(ForgetPeople())
            self.stdout.write(json.dumps({"keys": keys}) if options["json"] else f"Forgot every answer: {keys} keys.")
            return
        rows = [{"email": email, "was_known": bus.execute(ForgetPerson(email))} for email in options["forget"]]
        self.show(rows, as_json=options["json"])
