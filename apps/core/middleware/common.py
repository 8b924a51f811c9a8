"""Django's CommonMiddleware, which checks the Host header, but not for probes: those ask by address."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.middleware import common

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class CommonMiddleware(common.CommonMiddleware):
    """Refuses hosts that are not in ALLOWED_HOSTS."""

    def process_request(self, request: HttpRequest) -> Any:
        return None if request.path_info in PROBES else super().process_request(request)
