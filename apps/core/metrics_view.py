"""/metrics for Prometheus."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apps.core.api.problems import only_safe, problem


@only_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """This process's metrics; in production only with the bearer token METRICS_TOKEN."""
    if settings.ENV.profile == "production" and not _allowed(request):
        detail = "Send METRICS_TOKEN as a bearer token."
        headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
        return problem(request, 401, "not_authenticated", detail, headers=headers)
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _allowed(request: HttpRequest) -> bool:
    wanted = settings.ENV.metrics_token
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), wanted.encode())
