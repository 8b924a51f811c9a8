"""Makes what a service in production writes past its logger into lines of the log, one JSON object each.

That is a library's print, a warning, a traceback, the message of `sys.exit`, what Celery's signal handlers say. Only
what the interpreter itself writes as it crashes goes out unchanged.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO, TextIO

import orjson

from config.redaction import scrub


class LogLines(io.TextIOBase):
    """A text stream that writes its complete lines to `behind` as JSON objects, those of one `write` as one.

    It takes no lock, so that a signal handler may write while another write goes on.
    """

    encoding = "utf-8"

    def __init__(self, behind: TextIO, name: str, level: str) -> None:
        self.behind = behind
        self._name, self._level = name, level
        self._unfinished = threading.local()

    @property
    def buffer(self) -> BinaryIO:
        """The stream behind, for the logger, which writes whole lines in the log's form."""
        return self.behind.buffer

    def fileno(self) -> int:
        return self.behind.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        lines, newline, self._unfinished.text = (getattr(self._unfinished, "text", "") + text).rpartition("\n")
        if newline:
            self.say(lines)
        return len(text)

    def end(self) -> None:
        """Write what does not end with a newline yet."""
        self.say(getattr(self._unfinished, "text", ""))
        self._unfinished.text = ""

    def say(self, text: str, **more: str) -> None:
        """Write `text`, and `more` beside it, as one line of the log; does nothing if it is blank."""
        if not text.strip():
            return
        line = {"event": scrub(text.strip()), "level": self._level, "logger": self._name, **more}
        line["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        try:
            left = orjson.dumps(line) + b"\n"
        except TypeError:
            # half a surrogate pair
            left = json.dumps(line).encode() + b"\n"
        while left:
            left = left[os.write(self.fileno(), left) :]


def capture() -> None:
    """Put `LogLines` in the place of stdout and stderr, and log an exception that nobody catches."""
    if isinstance(sys.stdout, LogLines):
        return
    stdout, stderr = LogLines(sys.stdout, "stdout", "info"), LogLines(sys.stderr, "stderr", "warning")
    # by name: to a type checker two of them are constants
    for name, stream in ("stdout", stdout), ("stderr", stderr):
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.excepthook = log_exception
    threading.excepthook = lambda args: log_exception(args.exc_type, args.exc_value, args.exc_traceback)
    atexit.register(stdout.end)
    atexit.register(stderr.end)


def log_exception(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, /) -> None:
    """Write an exception that nobody caught as one line; Ctrl-C is left out."""
    if isinstance(sys.stderr, LogLines) and not issubclass(kind, KeyboardInterrupt):
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.say("uncaught exception", level="critical", exception=scrub(text))


def behind(stream: TextIO) -> TextIO:
    """The stream behind `stream`, for a logger that writes whole lines."""
    return stream.behind if isinstance(stream, LogLines) else stream


def say(text: str, _: Any = None) -> None:
    """Write a line from a signal handler, where a logger may be locked."""
    if isinstance(sys.stderr, LogLines):
        sys.stderr.say(text)
