"""Django's CommonMiddleware, which checks the Host header, but not for probes: those ask by address."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware import common

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class CommonMiddleware(common.CommonMiddleware):
    """Refuses hosts that are not in ALLOWED_HOSTS."""

    def process_request(self, request: HttpRequest) -> Any:
        return None if request.path_info in PROBES else super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code in (204, 304):
            # neither has a body to describe (RFC 9110, section 8.6)
            del response.headers["Content-Type"]
            return response
        return super().process_response(request, response)
