"""Middleware: the rate limit, one round trip to Valkey for each API request and for each look at a password's form.

A fixed window of a minute per caller, counted and expired by one Lua script, so it is exact across processes. Where
Valkey is away the request passes, counted and logged: a limit is not worth an outage. What it refuses the same script
counts by the minute, for the admin's overview.
Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from apps.core.api.problems import page_or_problem, problem
from apps.core.metrics import RATE_LIMIT_OPEN, RATE_LIMITED
from apps.core.middleware.client import client_network
from apps.core.valkey import Unavailable, Valkey, valkey_at
from apps.core.versioning import is_api

log = structlog.get_logger("rate_limit")
WINDOW_SECONDS = 60
COUNT = """
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]); left = tonumber(ARGV[1]) end
if n > tonumber(ARGV[2]) and redis.call('INCR', KEYS[2]) == 1 then redis.call('EXPIRE', KEYS[2], ARGV[3]) end
return {n, left}
"""
READ_REFUSALS = "return redis.call('MGET', unpack(KEYS))"
REFUSALS_KEPT_SECONDS = 3 * 3600


def refusals(valkey: Valkey, minutes: int) -> list[int]:
    """Requests that every process refused, by the minute: the oldest of the last `minutes` first, this one last.

    Raises Unavailable.
    """
    now = _minute()
    keys = [_refused(minute) for minute in range(now - minutes + 1, now + 1)]
    return [int(count or 0) for count in valkey.run(READ_REFUSALS, keys, [])]


def _minute() -> int:
    return int(time.time()) // WINDOW_SECONDS


def _refused(minute: int) -> str:
    return f"refused:{minute}"


# where passwords are typed in the admin: guessing there costs as much time here as at the API
GUESSED_AT = ("/admin/login/", "/admin/password_change/")


class RateLimitMiddleware:
    """Counts every request under /api/ and GUESSED_AT; past the limit the answer is 429 with `Retry-After`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.limit = settings.ENV.rate_limit_per_minute
        self.policy = f'"default";q={self.limit};w={WINDOW_SECONDS}'
        self.valkey = valkey_at(settings.ENV.redis_url)
        self.caller_of: Callable[[HttpRequest], int | None] = import_string(settings.RATE_LIMIT_CALLER)
        self._said_away_at = 0.0

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_api(request) and request.path_info not in GUESSED_AT:
            return self.get_response(request)
        caller_id = self.caller_of(request)
        who = f"user:{caller_id}" if caller_id is not None else f"addr:{client_network(request)}"
        try:
            keys = [f"rate:{who}", _refused(_minute())]
            count, left_ms = self.valkey.run(COUNT, keys, [WINDOW_SECONDS * 1000, self.limit, REFUSALS_KEPT_SECONDS])
        except Unavailable as error:
            self._let_through(error)
            count, left_ms = 0, WINDOW_SECONDS * 1000
        seconds = -(-left_ms // 1000)
        if count > self.limit:
            RATE_LIMITED.labels(who.partition(":")[0]).inc()
            log.warning("rate_limited", who=who)
            detail = f"More than {self.limit} requests in a minute; try again in {seconds} s."
            refused = problem(request, 429, "rate_limited", detail, headers={"Retry-After": str(seconds)})
            response = page_or_problem(request, refused)
        else:
            response = self.get_response(request)
        response.headers["RateLimit-Policy"] = self.policy
        response.headers["RateLimit"] = f'"default";r={max(self.limit - count, 0)};t={seconds}'
        return response

    def _let_through(self, error: Unavailable) -> None:
        RATE_LIMIT_OPEN.inc()
        now = time.monotonic()
        if now - self._said_away_at > 1:
            self._said_away_at = now
            log.warning("rate_limit_open", reason=str(error))
