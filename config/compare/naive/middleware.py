"""Middleware, naive: a rate limit that counts each address's requests of a minute in a dictionary."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse


class RateLimitMiddleware:
    """Refuses an address after `requests_per_minute`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse], requests_per_minute: int = 60) -> None:
        self.get_response = get_response
        self.requests_per_minute = requests_per_minute
        self.request_counts: dict[str, int] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        current_minute = int(time.time() / 60)
        key = f"{request.META['REMOTE_ADDR']}:{current_minute}"
        self.request_counts[key] = self.request_counts.get(key, 0) + 1
        if self.request_counts[key] > self.requests_per_minute:
            return JsonResponse({"error": "Rate limit exceeded"}, status=429)
        return self.get_response(request)
