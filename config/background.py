"""Celery's worker and beat, as the image and `make run` start them:

    python -m config.background worker -n events@%h -Q events -c 2
    python -m config.background beat --schedule /tmp/beat-schedule --pidfile=

Whatever is behind the name goes to Celery. A program of our own, so that the log is JSON from the first line on and a
signal while Celery is still imported ends it without a traceback.
"""

from __future__ import annotations

import sys

from config.chosen import choose_settings

# a worker asks its neighbours nothing: what is to be done stands in PostgreSQL
OPTIONS = {"worker": ("--without-gossip", "--without-mingle"), "beat": ()}


def main(arguments: list[str]) -> None:
    """Run what the first of `arguments` names, with the rest as Celery's options."""
    if not arguments or arguments[0] not in OPTIONS:
        sys.exit("usage: python -m config.background worker|beat [OPTION …]")
    choose_settings("config.settings.production")
    from celery.bin.celery import main as celery

    name, *options = arguments
    sys.argv = ["celery", "--quiet", "-A", "config.celery", name, *OPTIONS[name], *options]
    sys.exit(celery())


if __name__ == "__main__":
    main(sys.argv[1:])
