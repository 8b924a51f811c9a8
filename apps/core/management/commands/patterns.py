"""manage.py patterns"""

from __future__ import annotations

import json
from typing import Any

from apps.core.cli import Command as BaseCommand
from apps.core.patterns import PATTERNS


class Command(BaseCommand):
    help = "The twelve patterns: name, Django idiom, file, test, when not to use it, the files to take elsewhere."
    example = "manage.py patterns --json"
    prints_data = True

    def run(self, **options: Any) -> None:
        rows = [p._asdict() for p in PATTERNS]
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        self.show([{**row, "take": "\n".join(row["take"])} for row in rows], as_json=False)
