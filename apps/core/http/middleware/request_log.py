"""Middleware: the request's id, its duration and its line in the log."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from apps.core.context import accept_request_id, bound, serving
from apps.core.http.client import client_address
from apps.core.telemetry.metrics import count_request

log = structlog.get_logger("request")


class RequestLogMiddleware:
    """The outermost middleware: every answer carries `X-Request-ID` and `X-Process-Time` (seconds)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        request_id = accept_request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        with bound(request_id):
            log.debug("request_started", method=request.method, path=request.path_info)
            token = serving.set(request)
            response = self.get_response(request)
            serving.reset(token)
            seconds = time.perf_counter() - start
            match = request.resolver_match
            count_request(match.route if match else None, request.method, response.status_code, seconds)
            response.headers["X-Request-ID"] = request_id
            response.headers["X-Process-Time"] = f"{seconds:.6f}"
            log.info(
                "request_finished",
                method=request.method,
                path=request.path_info,
                status=response.status_code,
                duration_ms=round(seconds * 1000, 2),
                user_id=getattr(request, "caller_id", None),
                ip=client_address(request),
            )
        return response
