"""Where circuit breakers keep their state: one atomic step per transition, in Valkey or in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import pybreaker
import structlog

from apps.core.resilience.valkey import Unavailable, Valkey

log = structlog.get_logger("circuit_breaker")

CLOSED, OPEN, HALF_OPEN = pybreaker.STATE_CLOSED, pybreaker.STATE_OPEN, pybreaker.STATE_HALF_OPEN


class Verdict(NamedTuple):
    """What a transition found and left: the states before and after, and how long the breaker stays shut."""

    before: str
    after: str
    admitted: bool
    wait_ms: int


class State(Protocol):
    """The shared state of breakers; every method is one atomic step."""

    def admit(self, name: str, recovery_ms: int, lease_ms: int, token: str) -> Verdict: ...

    def failed(self, name: str, threshold: int, token: str) -> Verdict: ...

    def succeeded(self, name: str, token: str) -> Verdict: ...

    def read(self, name: str) -> str: ...

    def wait_ms(self, name: str, recovery_ms: int) -> int: ...

    def reset(self, name: str) -> None: ...


class MemoryState:
    """Breaker state of this process only: the fallback, and the definition of each step."""

    def __init__(self, clock_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000) -> None:
        self._clock_ms = clock_ms
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, Any]] = {}

    def admit(self, name: str, recovery_ms: int, lease_ms: int, token: str) -> Verdict:
        with self._lock:
            row, now = self._row(name), self._clock_ms()
            before = str(row["state"])
            if before == CLOSED:
                return Verdict(before, before, True, 0)
            if wait_ms := _wait_ms(row, now, recovery_ms):
                return Verdict(before, before, False, wait_ms)
            row.update(state=HALF_OPEN, probe=token, leased_until=now + lease_ms)
            return Verdict(before, HALF_OPEN, True, 0)

    def failed(self, name: str, threshold: int, token: str) -> Verdict:
        with self._lock:
            row = self._row(name)
            before = str(row["state"])
            row["failures"] += before == CLOSED
            tripped = before == CLOSED and row["failures"] >= threshold
            if tripped or (before == HALF_OPEN and row["probe"] == token):
                row.update(state=OPEN, opened=self._clock_ms(), failures=0)
            return Verdict(before, str(row["state"]), False, 0)

    def succeeded(self, name: str, token: str) -> Verdict:
        with self._lock:
            row = self._row(name)
            before = str(row["state"])
            if before == CLOSED or (before == HALF_OPEN and row["probe"] == token):
                self._rows.pop(name)
                return Verdict(before, CLOSED, True, 0)
            return Verdict(before, before, True, 0)

    def read(self, name: str) -> str:
        with self._lock:
            return str(self._row(name)["state"])

    def wait_ms(self, name: str, recovery_ms: int) -> int:
        with self._lock:
            return _wait_ms(self._row(name), self._clock_ms(), recovery_ms)

    def reset(self, name: str) -> None:
        with self._lock:
            self._rows.pop(name, None)

    def _row(self, name: str) -> dict[str, Any]:
        fresh = {"state": CLOSED, "failures": 0, "opened": 0, "probe": "", "leased_until": 0}
        return self._rows.setdefault(name, fresh)


def _wait_ms(row: dict[str, Any], now: int, recovery_ms: int) -> int:
    if row["state"] == CLOSED:
        return 0
    free_at = row["opened"] + recovery_ms if row["state"] == OPEN else row["leased_until"]
    return max(int(free_at - now), 0)


PRELUDE = """
local key, t = KEYS[1], redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local row = redis.call('HMGET', key, 'state', 'failures', 'opened', 'probe', 'leased_until')
local before = row[1] or 'closed'
"""
FREE_AT = "local free_at = before == 'open' and tonumber(row[3]) + ARGV[1] or tonumber(row[5])"
ADMIT = (
    PRELUDE
    + f"""
if before == 'closed' then return {{before, before, 1, 0}} end
{FREE_AT}
"""
    + """
if now < free_at then return {before, before, 0, free_at - now} end
redis.call('HSET', key, 'state', 'half-open', 'probe', ARGV[3], 'leased_until', now + ARGV[2])
return {before, 'half-open', 1, 0}
"""
)
FAILED = (
    PRELUDE
    + """
local tripped = false
if before == 'closed' then
  tripped = redis.call('HINCRBY', key, 'failures', 1) >= tonumber(ARGV[1])
  redis.call('EXPIRE', key, 86400)
end
if tripped or (before == 'half-open' and row[4] == ARGV[2]) then
  redis.call('HSET', key, 'state', 'open', 'opened', now, 'failures', 0)
  redis.call('EXPIRE', key, 86400)
  return {before, 'open', 0, 0}
end
return {before, before, 0, 0}
"""
)
SUCCEEDED = (
    PRELUDE
    + """
if before == 'closed' or (before == 'half-open' and row[4] == ARGV[1]) then
  redis.call('DEL', key)
  return {before, 'closed', 1, 0}
end
return {before, before, 1, 0}
"""
)
READ = PRELUDE + "return before"
WAIT = PRELUDE + f"if before == 'closed' then return 0 end\n{FREE_AT}\nreturn math.max(free_at - now, 0)"
RESET = "return redis.call('DEL', KEYS[1])"


class ValkeyState:
    """Breaker state in Valkey; while Valkey does not answer, in this process.

    Calls wait for `valkey`, which answers in milliseconds or not at all. Whoever looks at a breaker, or closes it by
    hand, waits for `patient` (default the same): a hiccup must not show them another state than the others see.
    """

    def __init__(self, valkey: Valkey, fallback: State | None = None, patient: Valkey | None = None) -> None:
        self._valkey = valkey
        self._patient = patient or valkey
        self._fallback = fallback or MemoryState()

    def admit(self, name: str, recovery_ms: int, lease_ms: int, token: str) -> Verdict:
        try:
            return self._step(ADMIT, name, [recovery_ms, lease_ms, token])
        except Unavailable:
            return self._fallback.admit(name, recovery_ms, lease_ms, token)

    def failed(self, name: str, threshold: int, token: str) -> Verdict:
        try:
            return self._step(FAILED, name, [threshold, token])
        except Unavailable:
            return self._fallback.failed(name, threshold, token)

    def succeeded(self, name: str, token: str) -> Verdict:
        try:
            return self._step(SUCCEEDED, name, [token])
        except Unavailable:
            return self._fallback.succeeded(name, token)

    def read(self, name: str) -> str:
        try:
            return str(self._patient.run(READ, [self._key(name)], []))
        except Unavailable:
            return self._fallback.read(name)

    def wait_ms(self, name: str, recovery_ms: int) -> int:
        try:
            return int(self._patient.run(WAIT, [self._key(name)], [recovery_ms]))
        except Unavailable:
            return self._fallback.wait_ms(name, recovery_ms)

    def reset(self, name: str) -> None:
        self._fallback.reset(name)
        try:
            self._patient.run(RESET, [self._key(name)], [])
        except Unavailable:
            log.warning("breaker_reset_local_only", breaker=name)

    def _step(self, lua: str, name: str, args: list[str | int]) -> Verdict:
        before, after, admitted, wait_ms = self._valkey.run(lua, [self._key(name)], args)
        return Verdict(str(before), str(after), bool(admitted), int(wait_ms))

    def _key(self, name: str) -> str:
        return f"breaker:{name}"
