"""Middleware: the Content-Security-Policy of every page, by django-csp; JSON needs none and pays nothing for it."""

from __future__ import annotations

from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class ContentSecurityMiddleware(CSPMiddleware):
    """Puts settings.CONTENT_SECURITY_POLICY on answers that are HTML."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """`response`, with the header if it is a page."""
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return response
        answer: HttpResponseBase = super().process_response(request, response)
        return answer
