#!/usr/bin/env python
"""Django's command line; development settings unless DJANGO_SETTINGS_MODULE says otherwise."""

import signal

# until a command handles it, Ctrl-C ends the process without a traceback: first, because imports take a second
signal.signal(signal.SIGINT, signal.SIG_DFL)

import atexit  # noqa: E402
import gc  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

from django.core.management import execute_from_command_line  # noqa: E402

from config.chosen import choose_settings  # noqa: E402


def end() -> None:
    """End without a search for garbage in all that is loaded, which takes a fifth of a short command's time.

    Globals are not destroyed either: what has to be flushed or deleted needs a `with`, or an atexit handler of its own.
    """
    if database := sys.modules.get("apps.core.postgresql.base"):
        database.close_pool()
    gc.freeze()


if __name__ == "__main__":
    if sys.argv[1:2] != ["relay"]:
        # stdout belongs to what a command prints; only a service writes its log there
        os.environ.setdefault("LOG_STREAM", "stderr")
    if sys.argv[1:2] in (["compare"], ["patterns"]):
        # these ask no service that is running, so `make run` need not have been there
        os.environ.setdefault("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
        os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")
    atexit.register(end)
    choose_settings("config.settings.development")
    execute_from_command_line(sys.argv)
