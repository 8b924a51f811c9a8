"""Middleware: the request's id, its duration and its line in the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import structlog
from django.http import HttpRequest, HttpResponse
from prometheus_client import Histogram

from apps.core.context import UNTRACED, Span, accept_request_id, bound, serving, span
from apps.core.http.client import client_address

log = structlog.get_logger("request")
UNMATCHED = "unmatched"
# who asks these asks them every few seconds, and nobody looks for one of the answers
UNTRACED_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
SERVER_ERROR = 500
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUESTS = Histogram(
    "http_request_seconds",
    "Requests answered, by the template of their route",
    ["route", "method", "status"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)


@cache
def request_metric(route: str, method: str, status: int) -> Histogram:
    """The histogram's child for an answer. Bounded, as its labels are."""
    return REQUESTS.labels(route, method, str(status))


def count_request(route: str | None, method: str | None, status: int, seconds: float) -> None:
    """Count an answer of the route with the template `route`, None if none matched; `method` is the client's text."""
    known = method if method in METHODS else "other"
    request_metric(UNMATCHED if route is None else route, known, status).observe(seconds)


class RequestLogMiddleware:
    """The outermost middleware: every answer carries `X-Request-ID` and `X-Process-Time` (seconds)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        request_id = accept_request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        with bound(request_id), _traced(request, request_id) as traced:
            log.debug("request_started", method=request.method, path=request.path_info)
            token = serving.set(request)
            response = self.get_response(request)
            serving.reset(token)
            seconds = time.perf_counter() - start
            match = request.resolver_match
            count_request(match.route if match else None, request.method, response.status_code, seconds)
            _tell(traced, request, response)
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


def _traced(request: HttpRequest, request_id: str) -> Span:
    """The request's span, a part of the trace that the client's `traceparent` names."""
    if request.path_info in UNTRACED_PATHS:
        return span("")
    method = str(request.method) if request.method in METHODS else "HTTP"
    facts = {"http.request.method": method, "url.path": request.path_info, "app.request_id": request_id}
    return span(method, "server", facts, parents=(request.META.get("HTTP_TRACEPARENT", ""),))


def _tell(traced: Span, request: HttpRequest, response: HttpResponse) -> None:
    if traced is UNTRACED:
        return
    match = request.resolver_match
    facts: dict[str, str | int] = {"http.response.status_code": response.status_code}
    if match:
        facts["http.route"] = f"/{match.route}"
        traced.rename(f"{request.method} /{match.route}")
    traced.note(facts)
    if response.status_code >= SERVER_ERROR:
        traced.fail(str(response.status_code))
