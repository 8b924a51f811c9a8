"""manage.py compare"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.core.cli import Command as BaseCommand
from apps.core.patterns import PATTERNS, pattern_named
from apps.core.text import in_words

NAMES = [pattern.name for pattern in PATTERNS]


class Command(BaseCommand):
    help = (
        "Run the naive version of a pattern beside ours, on a PostgreSQL and a Valkey of its own that end with it, and"
        f" count what each loses. The patterns: {', '.join(NAMES)}. The status is 1 if a run does not show the promise."
    )
    example = 'manage.py compare "event bus"'
    prints_data = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("pattern", metavar="PATTERN", nargs="*", help="its name, as `manage.py patterns` prints it")
        parser.add_argument("--all", action="store_true", help="every pattern, on the same services; about a minute")

    def run(self, **options: Any) -> None:
        names = _chosen(" ".join(options["pattern"]), everything=options["all"])
        if settings.PROFILE == "production":
            raise CommandError("compare runs in development only: it starts servers that production does not have.")
        if sys.stderr.isatty():
            self.stderr.write("Starting a PostgreSQL and a Valkey for it …", style_func=str)
        comparing = import_module(settings.COMPARISONS)
        results: list[dict[str, Any]] = []
        try:
            # closed at once on the way out, and with it all that it has started
            with closing(comparing.compare(names)) as done:
                for result in done:
                    results.append(result)
                    if not options["json"]:
                        self._print(result)
        except comparing.NotCompared as error:
            raise CommandError(str(error)) from error
        if options["all"] and not options["json"]:
            self.show([{"pattern": one["pattern"], "naive → ours": one["headline"]} for one in results], as_json=False)
        if options["json"]:
            self.stdout.write(json.dumps(results if options["all"] else results[0], indent=2, ensure_ascii=False))
        if not all(result["kept"] for result in results):
            sys.exit(1)

    def _print(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"{result['pattern']}: {result['promise']}\n\n{result['experiment']}")
        naive, ours = result["naive"], result["ours"]
        rows = [
            {"": in_words(name), "naive": _shown(naive.get(name)), "ours": _shown(ours.get(name))}
            for name in {**naive, **ours}
        ]
        self.show(rows, as_json=False)
        if result["note"]:
            self.stdout.write(result["note"])
        self.stdout.write(f"{result['headline']}. {result['verdict']}\nThe naive version: {result['naive_file']}\n\n")
        self.stdout.flush()


def _chosen(name: str, *, everything: bool) -> list[str]:
    if everything and name:
        raise CommandError("Name a pattern or say --all, not both.")
    if everything:
        return NAMES
    pattern = pattern_named(name)
    if pattern is None:
        said = f"There is no pattern {name!r}" if name else "Name a pattern, or say --all"
        raise CommandError(f"{said}; there is {', '.join(NAMES)}.")
    return [pattern.name]


def _shown(figure: int | float | None) -> str:
    return "" if figure is None else f"{figure:,}"
