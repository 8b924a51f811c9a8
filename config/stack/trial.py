"""Loads the code in a process of its own, before the processes that run are replaced by it.

    python -m config.stack.trial [FILE …]     # with DJANGO_SETTINGS_MODULE set

Prints what is wrong, in one line, and exits with status 1.
"""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from pathlib import Path

from config.stack.plan import ROOT

LONGEST = 300


def main(files: list[str]) -> None:
    """Compile those of `files` that are Python and still there, then load what web server, relay and workers load."""
    try:
        for file in map(Path, files):
            if file.suffix == ".py" and file.exists():
                compile(file.read_bytes(), file, "exec")
        load()
    except SystemExit as end:
        # settings that are not usable: several lines
        sys.exit(in_one_line(str(end)))
    except Exception as error:
        sys.exit(told(error))


def load() -> None:
    """Load what the processes load. Raises whatever the code raises."""
    # it sets Django up, and with it receivers and tasks
    import_module("config.wsgi")
    for name in "config.urls", "config.background", "apps.events.management.commands.relay":
        import_module(name)


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


def in_one_line(text: str) -> str:
    """`text` without line breaks, and not longer than a few lines of a terminal."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


if __name__ == "__main__":
    main(sys.argv[1:])
