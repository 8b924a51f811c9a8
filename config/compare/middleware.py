"""Middleware: one caller asks two processes of a web server, and 10,000 callers ask once."""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from apps.core.http.client import client_address
from apps.core.http.middleware import rate_limit
from apps.core.resilience.valkey import Valkey
from config.compare.naive import middleware
from config.compare.outcome import Comparison, Figures
from config.compare.processes import in_processes
from config.compare.world import fresh, valkey

PROCESSES, LIMIT, REQUESTS, CALLERS = 2, 100, 150, 10_000
Middleware = Callable[[HttpRequest], HttpResponse]
FOR_EVER = """
local kept, cursor = 0, '0'
repeat
  local found = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = found[1]
  for _, key in ipairs(found[2]) do if redis.call('PTTL', key) < 0 then kept = kept + 1 end end
until cursor == '0'
return kept
"""


def naive() -> Figures:
    """Each process counts for itself; a minute that is over stays in its dictionary."""

    def make() -> middleware.RateLimitMiddleware:
        return middleware.RateLimitMiddleware(_answer, requests_per_minute=LIMIT)

    counting = make()
    _many_callers(counting)
    counts = counting.request_counts
    kept = sum(sys.getsizeof(key) for key in counts) + sys.getsizeof(counts)
    return {**_figures(make, len(counts)), "bytes_they_take_in_each_process": kept}


def ours() -> Figures:
    """Each process counts in Valkey, which lets go of a caller once the minute is over."""
    fresh()

    def make() -> rate_limit.RateLimitMiddleware:
        # a busy machine must not open the limit
        own = Valkey(settings.ENV.redis_url, timeout=10.0)
        return rate_limit.RateLimitMiddleware(_answer, limit=LIMIT, valkey=own, who=client_address)

    _many_callers(make())
    with valkey() as server:
        kept = int(str(server.eval(FOR_EVER, 0)))
    return _figures(make, kept)


def _figures(make: Callable[[], Middleware], kept: int) -> Figures:
    def admitted(_: int) -> int:
        limited = make()
        return sum(limited(_request("198.51.100.7")).status_code == 200 for _ in range(REQUESTS))

    return {
        "processes": PROCESSES,
        "limit_a_minute": LIMIT,
        "requests_sent": PROCESSES * REQUESTS,
        "requests_admitted": sum(in_processes(PROCESSES, admitted)),
        "callers": CALLERS,
        "callers_remembered_for_ever": kept,
    }


def _many_callers(limited: Middleware) -> None:
    request = _request("")
    for number in range(CALLERS):
        request.META["REMOTE_ADDR"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        limited(request)


def _request(address: str) -> HttpRequest:
    return RequestFactory().get("/api/v1/users", REMOTE_ADDR=address)


def _answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


COMPARISON = Comparison(
    promise="A caller gets the limit once, however many processes answer, and is forgotten a minute later.",
    headline="requests_admitted",
    naive=naive,
    ours=ours,
    kept=lambda naive, ours: (
        naive["requests_admitted"] >= PROCESSES * LIMIT
        and ours["requests_admitted"] == LIMIT
        and naive["callers_remembered_for_ever"] >= CALLERS
        and ours["callers_remembered_for_ever"] == 0
    ),
)
