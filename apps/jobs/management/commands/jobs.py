"""manage.py jobs"""

from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.jobs.commands import CancelJob, RetryJob
from apps.jobs.queries import ListJobs


class Command(BaseCommand):
    help = "The newest background jobs."
    example = "manage.py jobs --limit 10 --json"
    prints_data = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=50, help="how many (default 50)")
        parser.add_argument("--cancel", metavar="ID", type=job_id, help="stop this job at once")
        parser.add_argument("--retry", metavar="ID", type=job_id, help="run this failed or cancelled job again")

    def run(self, **options: Any) -> None:
        if not 1 <= options["limit"] <= 1000:
            raise CommandError("--limit must be from 1 to 1000")
        if options["cancel"]:
            bus.execute(CancelJob(options["cancel"]))
        if options["retry"]:
            bus.execute(RetryJob(options["retry"]))
        rows = bus.ask(ListJobs(options["limit"]))
        self.show(rows, as_json=options["json"], empty="no jobs")


def job_id(text: str) -> uuid.UUID:
    """`text` as a job's id; ValueError makes argparse say so."""
    return uuid.UUID(text)
