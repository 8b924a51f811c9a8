"""The metrics of all processes that count in one folder, and a port of its own for a process that serves no page."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from apps.core.telemetry.slots import Shared, Slots

log = structlog.get_logger("metrics")
# what reading says of a file that is gone, is not ours to read, or was cut off in the middle
UNREADABLE = (FileNotFoundError, PermissionError, struct.error, RuntimeError, ValueError)
READ_ATTEMPTS = 3


class AllProcesses(Collector):
    """The sums of the processes that count in one folder."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read the files."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all files but those that cannot be read: one of them must not take the others along."""
        self._slots.bury()
        files = self._files()
        # each repeat has lost at least one file, or the trouble was of that moment
        for repeats_left in reversed(range(len(files) + READ_ATTEMPTS)):
            try:
                yield from _merged(files)
                return
            except UNREADABLE:
                if not repeats_left:
                    raise
                files = [path for path in files if _readable(path)]

    def _files(self) -> list[str]:
        """The files that have begun: a process that was killed at that moment leaves one without a byte."""
        return [str(path) for path in self._slots.folder.glob("*.db") if _begun(path)]


def _begun(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_size > 0
    return False


def _merged(files: list[str]) -> list[Metric]:
    return list(MultiProcessCollector.merge(files, accumulate=True))  # type: ignore[no-untyped-call]


def _readable(path: str) -> bool:
    try:
        _merged([path])
    except FileNotFoundError:
        return False
    except UNREADABLE as error:
        # what was counted there is missing from the sums
        log.warning("metrics_file_unreadable", path=path, error=repr(error))
        return False
    return True


@cache
def processes() -> CollectorRegistry:
    """The metrics of this process, or of all that share its folder."""
    if Shared.slots is None:
        return REGISTRY
    registry = CollectorRegistry()
    registry.register(AllProcesses(Shared.slots))
    return registry


def listen(host: str, port: int) -> None:
    """Show a worker's or relay's own metrics on `host`:`port`, if that is not 0; exits if it is taken."""
    if port:
        try:
            start_http_server(port, host, processes())
        except OSError as error:
            sys.exit(f"cannot listen on METRICS_HOST={host}, METRICS_PORT={port}: {error.strerror or error}")
