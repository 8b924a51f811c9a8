"""Retry: 400 callers fail at the same moment, and the other side comes back after two seconds.

No caller waits for another, so each has a clock of its own, which its sleep puts forward: the times of the calls are
exact, and the run takes none.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from unittest.mock import patch

from apps.core.resilience.retry import Retry, TransientError
from config.compare.naive.retry import retry_with_backoff
from config.compare.outcome import Comparison, Figures

CALLERS, OUTAGE_SECONDS, WINDOW_SECONDS = 400, 2.0, 0.1
ASKED_TO_WAIT_SECONDS = 5.0


class Refused(Exception):
    """The other side answered 4xx: the same call is refused however often it is made."""


class Time:
    """One caller's clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class OtherSide:
    """Answers after the outage; remembers when it was called."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.calls: list[float] = []

    def down(self) -> None:
        self.calls.append(self.time.now)
        if self.time.now < OUTAGE_SECONDS:
            raise TransientError("503")

    def busy(self) -> None:
        self.calls.append(self.time.now)
        if self.time.now < ASKED_TO_WAIT_SECONDS:
            raise TransientError("503, Retry-After: 5", retry_after=ASKED_TO_WAIT_SECONDS)

    def refuse(self) -> None:
        self.calls.append(self.time.now)
        raise Refused("400")


def naive() -> Figures:
    """The naive decorator."""

    def call(time: Time, function: Callable[[], None]) -> None:
        with patch("config.compare.naive.retry.time.sleep", time.sleep):
            retry_with_backoff(max_retries=4)(function)()

    return _counted(call)


def ours() -> Figures:
    """The service's policy, with as many attempts and the same delays; what it draws is left to chance."""
    return _counted(lambda time, function: Retry(4, sleep=time.sleep, clock=lambda: time.now).call(function))


def _counted(call: Callable[[Time, Callable[[], None]], None]) -> Figures:
    down, busy, refusing = _sides(), _sides(), _sides()
    answered = 0
    for side in down:
        call(side.time, side.down)
        answered += 1
    for side in busy:
        with suppress(TransientError):
            call(side.time, side.busy)
    for side in refusing:
        with suppress(Refused):
            call(side.time, side.refuse)
    return {
        "callers": CALLERS,
        "callers_answered_in_the_end": answered,
        "largest_burst_of_repeats_in_100_ms": _most([at for side in down for at in side.calls[1:]]),
        "calls_sooner_than_asked": sum(0 < at < ASKED_TO_WAIT_SECONDS for side in busy for at in side.calls),
        "refused_calls_repeated": sum(len(side.calls) - 1 for side in refusing),
    }


def _sides() -> list[OtherSide]:
    return [OtherSide(Time()) for _ in range(CALLERS)]


def _most(times: list[float]) -> int:
    """The most of `times` that lie within one window."""
    times.sort()
    first = most = 0
    for last, at in enumerate(times):
        while at - times[first] > WINDOW_SECONDS:
            first += 1
        most = max(most, last - first + 1)
    return most


COMPARISON = Comparison(
    promise="Callers that failed together do not come back together, and nobody repeats what cannot succeed.",
    headline="largest_burst_of_repeats_in_100_ms",
    naive=naive,
    ours=ours,
    kept=lambda naive, ours: (
        naive["largest_burst_of_repeats_in_100_ms"] == CALLERS
        and ours["largest_burst_of_repeats_in_100_ms"] < CALLERS / 2
        and naive["refused_calls_repeated"] > 0 == ours["refused_calls_repeated"]
        and naive["calls_sooner_than_asked"] > 0 == ours["calls_sooner_than_asked"]
        and ours["callers_answered_in_the_end"] == CALLERS
    ),
)
