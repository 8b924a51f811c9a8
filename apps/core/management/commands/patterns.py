"""manage.py patterns"""

from __future__ import annotations

from typing import Any

from apps.core.cli import Command as BaseCommand
from apps.core.patterns import PATTERNS


class Command(BaseCommand):
    help = "The twelve patterns: name, Django idiom, file, test."
    example = "manage.py patterns --json"
    prints_data = True

    def run(self, **options: Any) -> None:
        rows = [{"name": p.name, "idiom": p.idiom, "file": p.file, "test": p.test} for p in PATTERNS]
        self.show(rows, as_json=options["json"])
