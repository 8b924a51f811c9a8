"""Notices which files were saved. Saves that follow each other closely, as a checkout makes them, come together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from watchfiles import PythonFilter, watch

# what a process reads when it starts, or keeps in memory from then on; a browser gets CSS and JavaScript as they are
KINDS = (".html", ".txt", ".xml", ".json", ".mo")
# no save for this long ends a group of them, and so does the second time
QUIET_MILLISECONDS, LONGEST_MILLISECONDS = 250, 3_000


class Changes:
    """Gathers the files under `folders` that were saved, made, renamed or deleted; with no folders there are none.

    Use it as a context manager. `complain` is told, once, if the operating system cannot say what changes.
    """

    def __init__(self, folders: Sequence[Path], complain: Callable[[str], None]) -> None:
        self._folders = folders
        self._complain = complain
        self._saved: queue.SimpleQueue[set[Path]] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._gather, name="changes", daemon=True)

    def __enter__(self) -> Changes:
        if self._folders:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        # Python must not end while it is in there: that is code in Rust
        if self._thread.is_alive():
            self._thread.join()

    def waiting(self) -> bool:
        """Whether there are files that nobody has taken."""
        return not self._saved.empty()

    def take(self) -> set[Path]:
        """The files since the last call."""
        taken: set[Path] = set()
        while self.waiting():
            taken |= self._saved.get()
        return taken

    def _gather(self) -> None:
        try:
            for changes in watch(
                *self._folders,
                watch_filter=PythonFilter(extra_extensions=KINDS),
                step=QUIET_MILLISECONDS,
                debounce=LONGEST_MILLISECONDS,
                stop_event=self._ended,
                raise_interrupt=False,
            ):
                self._saved.put({Path(path) for _, path in changes})
        except (OSError, RuntimeError) as error:
            self._complain(f"saved files are not noticed, start `make run` again after a change: {error}")
