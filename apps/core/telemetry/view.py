"""/metrics for Prometheus."""

from __future__ import annotations

import hmac
import struct
import sys
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from apps.core.http.problems import only_safe, problem
from apps.core.telemetry.metrics import SLOTS
from apps.core.telemetry.slots import Slots
from apps.core.telemetry.state import STATE_REGISTRY

READ_ATTEMPTS = 3


@only_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics of all processes that share a folder; in production only with the bearer token METRICS_TOKEN."""
    if settings.ENV.profile == "production" and not _allowed(request):
        detail = "Send METRICS_TOKEN as a bearer token."
        headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
        return problem(request, 401, "not_authenticated", detail, headers=headers)
    page = generate_latest(PROCESSES) + generate_latest(STATE_REGISTRY)
    return HttpResponse(page, content_type=CONTENT_TYPE_LATEST)


def _allowed(request: HttpRequest) -> bool:
    wanted = settings.ENV.metrics_token
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), wanted.encode())


class AllProcesses(Collector):
    """The sums of the processes that count in one folder."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._files = MultiProcessCollector(None, str(slots.folder))  # type: ignore[no-untyped-call]

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read the files."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all files; once more where one was caught between its creation and its first byte."""
        self._slots.bury()
        for attempt in range(READ_ATTEMPTS):
            try:
                yield from list(self._files.collect())  # type: ignore[no-untyped-call]
                return
            except (struct.error, FileNotFoundError):
                if attempt == READ_ATTEMPTS - 1:
                    raise


def _processes() -> CollectorRegistry:
    if SLOTS is None:
        return REGISTRY
    registry = CollectorRegistry()
    registry.register(AllProcesses(SLOTS))
    return registry


PROCESSES = _processes()


def listen() -> None:
    """Show a worker's or relay's own metrics on METRICS_HOST:METRICS_PORT, if one is set; exits where it is taken."""
    host, port = settings.ENV.metrics_host, settings.ENV.metrics_port
    if port:
        try:
            start_http_server(port, host, PROCESSES)
        except OSError as error:
            sys.exit(f"cannot listen on METRICS_HOST={host}, METRICS_PORT={port}: {error.strerror or error}")
