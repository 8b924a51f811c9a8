"""Middleware: the rate limit, one round trip to Valkey for each API request and for each look at a password's form.

A fixed window of a minute per caller, counted and expired by one Lua script, so it is exact across processes. If
Valkey does not answer, the request passes, counted and logged: a limit is not worth an outage. The same script counts
refusals by the minute, for the admin's overview.
Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter

from apps.core.resilience.valkey import Unavailable, Valkey

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
RATE_LIMITED = Counter("rate_limit_refusals_total", "Requests refused by the rate limit", ["scope"])
RATE_LIMIT_OPEN = Counter("rate_limit_unavailable_total", "Requests let through because Valkey did not answer")
# increase() misses a counter that appears with its first increment, so these exist from the start
for _scope in ("user", "addr"):
    RATE_LIMITED.labels(_scope)


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


def too_many(request: HttpRequest, detail: str) -> HttpResponse:
    """The plain answer to a request past the limit."""
    return HttpResponse(detail, status=429, content_type="text/plain")


class RateLimitMiddleware:
    """Counts the requests that `applies` picks; past `limit` a minute the answer is `refuse`'s, with `Retry-After`.

    `who` names the caller that a request counts for, as "user:7" or "addr:203.0.113.7".
    """

    def __init__(
        self,
        get_response: Callable[[HttpRequest], HttpResponse],
        *,
        limit: int,
        valkey: Valkey,
        who: Callable[[HttpRequest], str],
        applies: Callable[[HttpRequest], bool] = lambda request: True,
        refuse: Callable[[HttpRequest, str], HttpResponse] = too_many,
    ) -> None:
        self.get_response = get_response
        self.limit = limit
        self.policy = f'"default";q={limit};w={WINDOW_SECONDS}'
        self.valkey = valkey
        self.who, self.applies, self.refuse = who, applies, refuse
        self._said_away_at = 0.0

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not self.applies(request):
            return self.get_response(request)
        who = self.who(request)
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
            response = self.refuse(request, detail)
            response.headers["Retry-After"] = str(seconds)
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
