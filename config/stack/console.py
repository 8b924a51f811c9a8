"""The terminal: lines of several processes, each under its name; writing one never blocks the writer."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import threading
import time
from typing import TextIO

COLOURS = (36, 33, 35, 32, 34, 31)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
WAITING_LINES = 10_000
LONGEST = 300


def in_one_line(text: str) -> str:
    """`text` without line breaks, and not longer than a few lines of a terminal."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def plain(text: str) -> str:
    """`text` without terminal escapes, as it belongs in a file."""
    return ESCAPES.sub("", text)


class Console:
    """Writes whole lines to `stream` from a thread of its own.

    When the reader is slow or gone, lines past `WAITING_LINES` are dropped (the log files have them): a pipe that
    nobody reads must not stop the web server at its next log line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._descriptor = stream.fileno()
        self._started = time.monotonic()
        self._names: dict[str, int] = {}
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING_LINES)
        self.coloured = stream.isatty() and "NO_COLOR" not in os.environ
        self._writer = threading.Thread(target=self._write, name="console", daemon=True)
        self._writer.start()

    def expect(self, *names: str) -> None:
        """Announce the names that `stream` will be called with, so that their columns align."""
        for name in names:
            self._names.setdefault(name, COLOURS[len(self._names) % len(COLOURS)])

    def say(self, text: str = "") -> None:
        """Write `text` as it is; it may have several lines."""
        self._put(text)

    def step(self, text: str) -> None:
        """Write `text` behind the seconds since the start."""
        self._put(f"{time.monotonic() - self._started:6.1f} s  {text}")

    def problem(self, text: str) -> None:
        """Write `text` so that it stands out."""
        self._put(self._paint(31, text))

    def emphasis(self, text: str) -> str:
        """`text` in bold if the terminal can show it."""
        return self._paint(1, text)

    def stream(self, name: str, line: str) -> None:
        """Write one line of the process `name`."""
        self.expect(name)
        label = f"{name:<{max(map(len, self._names))}} |"
        text = line if self.coloured else plain(line)
        self._put(f"{self._paint(self._names[name], label)} {text}")

    def close(self, timeout: float = 1.0) -> None:
        """Wait up to `timeout` seconds until what was said has been written."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=timeout / 2)
            self._writer.join(timeout / 2)

    def _paint(self, code: int, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured else text

    def _put(self, text: str) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(text)

    def _write(self) -> None:
        while (text := self._lines.get()) is not None:
            data = (text + "\n").encode(errors="replace")
            with contextlib.suppress(OSError):
                # not through Python's buffer: at exit Python would wait for a write that is stuck in there
                while data:
                    data = data[os.write(self._descriptor, data) :]
