"""manage.py asyncapi"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.api.schema import as_yaml
from apps.core.cli import Command as BaseCommand
from apps.events.description import document


class Command(BaseCommand):
    help = "Every event, described for those who consume it (AsyncAPI 3.0, YAML): to standard output, or to a file."
    example = "manage.py asyncapi --file asyncapi.yaml"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, help="write it here instead")

    def run(self, **options: Any) -> None:
        text = as_yaml(document())
        if options["file"] is None:
            self.stdout.write(text, ending="")
            return
        try:
            options["file"].write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be written: {error.strerror}.") from error
