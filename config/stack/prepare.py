"""Migrates the database and makes the demo data, in one process: starting Django is most of what either costs.

python -m config.stack.prepare     # with DJANGO_SETTINGS_MODULE set
"""

from __future__ import annotations

import sys

import django
from django.core.management import CommandError, call_command

COMMANDS: tuple[tuple[str, dict[str, bool]], ...] = (("migrate", {"interactive": False}), ("seed_demo", {}))


def main() -> None:
    """Run the commands one after the other; exits with status 1, naming the one that failed."""
    django.setup()
    for name, options in COMMANDS:
        try:
            call_command(name, **options)
        except CommandError as error:
            sys.exit(f"manage.py {name}: {error}")


if __name__ == "__main__":
    main()
