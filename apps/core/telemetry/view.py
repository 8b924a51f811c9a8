"""/metrics for Prometheus."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apps.core.http.problems import only_safe, problem
from apps.core.telemetry.exposition import processes
from apps.core.telemetry.state import STATE_REGISTRY


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
