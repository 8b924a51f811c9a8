"""The metrics of all processes that count in one folder, and a port of its own for a process that serves no page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from apps.core.telemetry.slots import Shared, Slots

READ_ATTEMPTS = 3


class AllProcesses(Collector):
    """The sums of the processes that count in one folder."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read the files."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all files; again if one of them went meanwhile."""
        for attempt in range(READ_ATTEMPTS):
            self._slots.bury()
            try:
                yield from list(MultiProcessCollector.merge(self._files(), accumulate=True))  # type: ignore[no-untyped-call]
                return
            except FileNotFoundError:
                if attempt == READ_ATTEMPTS - 1:
                    raise

    def _files(self) -> list[str]:
        """The files that have begun: a process that was killed at that moment leaves one without a byte."""
        return [str(path) for path in self._slots.folder.glob("*.db") if path.stat().st_size]


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
