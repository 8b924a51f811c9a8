"""A small number for each process that counts, in place of its id, so that metrics files are reused.

prometheus_client gives every process files of its own, named by the process id, and never removes counters (they would
run backwards): workers that are replaced and pool children that are recycled fill the folder for ever, and every scrape
reads it all. Here a process takes the lowest number that nobody holds, by a lock that the kernel drops however the
process ends, and adds to the counts in the files there. So there are as many files as processes at one time, and sums
never fall. Source: https://prometheus.github.io/client_python/multiprocess/ and its issues 115, 411 and 509.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

# prometheus_client's own name for the folder
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Slots:
    """The numbers given out in `folder`, which is made if it is missing. Raises OSError if it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mine: int | None = None
        self._lock = -1
        folder.mkdir(parents=True, exist_ok=True)
        os.register_at_fork(after_in_child=self.let_go)

    def mine(self) -> int:
        """The number of this process; taken when first asked for, and again after a fork."""
        if self._mine is None:
            for number in count():
                lock = _locked(self.folder / f"{number}.lock")
                if lock is not None:
                    self._mine, self._lock = number, lock
                    _clear_gauges(number, self.folder)
                    break
        return self._mine or 0

    def bury(self) -> None:
        """Remove the gauges of processes that are gone: what a counter has counted stays true, a gauge does not."""
        for path in self.folder.glob("*.lock"):
            with _held(path) as free:
                if free:
                    _clear_gauges(int(path.stem), self.folder)

    def let_go(self) -> None:
        """Give the number back; the next count takes a new one."""
        if self._mine is not None:
            self._mine = None
            # after a fork this closes only the child's copy: the parent goes on holding the lock
            os.close(self._lock)


class Shared:
    """Where the metrics of this process are kept: `slots` in a folder that several processes share, else None."""

    slots: Slots | None = None


def share(folder: Path) -> None:
    """Keep the metrics that are made from now on in `folder`, which other processes use too.

    Call it before the first metric is made. Raises OSError if the folder cannot be used.
    """
    from prometheus_client import values  # noqa: PLC0415 - who only empties a folder counts nothing

    Shared.slots = Slots(folder)
    values.ValueClass = values.MultiProcessValue(Shared.slots.mine)  # type: ignore[no-untyped-call]


def start_afresh(folder: Path) -> None:
    """Empty `folder`, unless another living process counts in it; for a server to call before it starts its workers."""
    if Shared.slots:
        Shared.slots.let_go()
    with ExitStack() as stack:
        # whoever comes meanwhile finds all these numbers taken
        if all(stack.enter_context(_held(path)) for path in folder.glob("*.lock")):
            for path in folder.glob("*.db"):
                path.unlink()


def _clear_gauges(number: int, folder: Path) -> None:
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - as above

    mark_process_dead(number, str(folder))  # type: ignore[no-untyped-call]


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock `path`; None while another process does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Hold the lock in this block; False if another process has it."""
    descriptor = _locked(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)
