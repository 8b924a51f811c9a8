"""Loads the service's code as it is now, and says what is wrong with it."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from pathlib import Path

from django.core.wsgi import get_wsgi_application

from apps.core.http.late import load_all
from config.chosen import choose_settings
from config.stack.console import in_one_line
from config.stack.plan import ROOT

# what web server, relay, workers and beat need besides Django's apps
ENTRANCES = (
    "config.urls",
    "config.server.serve",
    "granian",
    "apps.events.management.commands.relay",
    "apps.users.signing",
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "kombu.transport.redis",
)


def load_or_exit(files: list[str]) -> None:
    """Compile those of `files` that are Python and still there, and load the service.

    If that fails, it prints what is wrong and exits with status 1.
    """
    try:
        for file in map(Path, files):
            if file.suffix == ".py" and file.exists():
                compile(file.read_bytes(), file, "exec")
        load()
    except Exception as error:
        sys.exit(told(error))


def load() -> None:
    """Load what the processes load, and start nothing. Raises whatever the code raises."""
    choose_settings("config.settings.development")
    get_wsgi_application()
    for name in ENTRANCES:
        import_module(name)
    load_all()


def told(error: Exception) -> str:
    """The error in one line, with the place in our own code that it comes from."""
    text = in_one_line(traceback.format_exception_only(error)[-1])
    if isinstance(error, SyntaxError) and error.filename:
        return f"{short(error.filename)}, line {error.lineno}: {text}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_ours(frame.filename)]
    return f"{short(frames[-1].filename)}, line {frames[-1].lineno}: {text}" if frames else text


def is_ours(file: str) -> bool:
    """Whether the file is one of the service's."""
    path = Path(file)
    return file != __file__ and any(path.is_relative_to(ROOT / folder) for folder in ("apps", "config"))


def short(file: str) -> str:
    """The path as a developer names it."""
    path = Path(file)
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
