"""Migrates the database and makes the demo data, in one process: starting Django is most of what either costs.

python -m config.stack.prepare [--seed]     # with DJANGO_SETTINGS_MODULE set
"""

from __future__ import annotations

import sys

import django
from django.conf import settings
from django.core.management import CommandError, call_command

from config.stack.plan import DEMO_DATA


def main(*, seed: bool) -> None:
    """Do both, and print at the end if there is demo data; if a command fails, name it and exit with status 1."""
    django.setup()
    _run("migrate", interactive=False)
    if not seed:
        print("no demo data: the database is not this stack's own")
    elif settings.ENV.profile != "development":
        print(f"no demo data: the settings are those of {settings.ENV.profile}")
    else:
        _run("seed_demo")
        print(DEMO_DATA)


def _run(command: str, **options: bool) -> None:
    try:
        call_command(command, **options)
    except CommandError as error:
        sys.exit(f"manage.py {command}: {error}")


if __name__ == "__main__":
    main(seed="--seed" in sys.argv[1:])
