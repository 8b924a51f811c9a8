"""/metrics for Prometheus."""

from __future__ import annotations

import hmac
import sys
from collections.abc import Callable, Iterator
from functools import cache

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from apps.core.http.problems import only_safe, problem
from apps.core.telemetry.slots import Shared, Slots
from apps.core.telemetry.state import STATE_REGISTRY

READ_ATTEMPTS = 3


def metrics_view(token: str, *, guarded: bool) -> Callable[..., HttpResponse]:
    """The view of the metrics of all processes that share a folder; if `guarded`, only with the bearer `token`."""

    @only_safe
    def metrics(request: HttpRequest) -> HttpResponse:
        if guarded and not _allowed(request, token):
            detail = "Send METRICS_TOKEN as a bearer token."
            headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
            return problem(request, 401, "not_authenticated", detail, headers=headers)
        page = generate_latest(processes()) + generate_latest(STATE_REGISTRY)
        return HttpResponse(page, content_type=CONTENT_TYPE_LATEST)

    return metrics


def _allowed(request: HttpRequest, wanted: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), wanted.encode())


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
