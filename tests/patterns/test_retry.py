"""Retry: without it a blip is an error; done naively it repeats what cannot help and comes back with all the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils.http import http_date
from structlog.testing import capture_logs

from apps.core.http.dates import retry_after
from apps.core.resilience.retry import Retry, TransientError


@dataclass
class Time:
    """A clock that moves when somebody sleeps."""

    now: float = 1000.0
    sleeps: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    """This test's time."""
    return Time()


def retry(time: Time, **more: Any) -> Retry:
    return Retry(sleep=time.sleep, clock=time.clock, **more)


@dataclass
class Failing:
    """Fails a given number of times before it answers."""

    times: int
    error: Exception = field(default_factory=lambda: TransientError("busy"))
    calls: int = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return self.calls


class TestWaits:
    """When the next attempt is made."""

    @pytest.mark.parametrize(("base", "factor", "longest"), [(1.0, 2.0, 60.0), (0.1, 3.0, 2.0), (5.0, 1.5, 5.0)])
    def test_they_follow_the_formula_within_the_jitter(self, base: float, factor: float, longest: float) -> None:
        attempts = 8
        for _ in range(50):
            time = Time()
            policy = retry(
                time, max_attempts=attempts, base_delay=base, exponential_base=factor, max_delay=longest, budget=1e9
            )
            with pytest.raises(TransientError):
                policy.call(Failing(attempts))
            assert len(time.sleeps) == attempts - 1, "no sleep after the last attempt"
            for n, wait in enumerate(time.sleeps, start=1):
                bound = min(base * factor ** (n - 1), longest)
                assert 0.5 * bound <= wait <= bound

    @pytest.mark.parametrize(("drawn", "waits"), [(0.0, [0.5, 1.0, 2.0]), (1.0, [1.0, 2.0, 4.0])])
    def test_the_jitter_reaches_from_half_to_the_whole(self, time: Time, drawn: float, waits: list[float]) -> None:
        assert retry(time, max_attempts=4, draw=lambda: drawn).call(Failing(3)) == 4
        assert time.sleeps == waits

    def test_callers_that_failed_together_do_not_come_back_together(self) -> None:
        assert len({Retry().wait(1) for _ in range(100)}) > 90

    def test_the_budget_ends_it_before_a_wait_that_would_pass_it(self, time: Time) -> None:
        failing = Failing(99)
        with pytest.raises(TransientError):
            retry(time, max_attempts=99, base_delay=4.0, exponential_base=1.0, draw=lambda: 1.0, budget=10.0).call(
                failing
            )
        assert (failing.calls, time.sleeps) == (3, [4.0, 4.0])

    def test_a_wait_that_the_other_side_asks_for_is_honoured(self, time: Time) -> None:
        assert retry(time).call(Failing(1, TransientError("busy", 7.0))) == 2
        assert time.sleeps == [7.0]

    def test_one_past_the_budget_is_told_to_the_caller_at_once(self, time: Time) -> None:
        failing = Failing(1, TransientError("busy", 600.0))
        with pytest.raises(TransientError) as refused:
            retry(time).call(failing)
        assert (refused.value.retry_after, failing.calls, time.sleeps) == (600.0, 1, [])


class TestWhatIsRepeated:
    """Only errors that may pass by themselves."""

    def test_a_mistake_is_not(self, time: Time) -> None:
        failing = Failing(1, ValueError("wrong"))
        with pytest.raises(ValueError, match="wrong"):
            retry(time).call(failing)
        assert (failing.calls, time.sleeps) == (1, [])

    def test_as_a_decorator_each_call_has_attempts_of_its_own(self, time: Time) -> None:
        calls: list[str] = []

        @retry(time, max_attempts=2)
        def ask(name: str) -> str:
            """Asks."""
            calls.append(name)
            if calls.count(name) < 2:
                raise TransientError("busy")
            return name.upper()

        assert [ask("ada"), ask("grace")] == ["ADA", "GRACE"]
        assert calls == ["ada", "ada", "grace", "grace"]
        assert (ask.__name__, ask.__doc__) == ("ask", "Asks.")

    def test_each_repeat_is_in_the_log(self, time: Time) -> None:
        with capture_logs() as lines:
            retry(time, draw=lambda: 1.0).call(Failing(2))
        assert [(line["event"], line["attempt"], line["wait_seconds"]) for line in lines] == [
            ("retry", 1, 1.0),
            ("retry", 2, 2.0),
        ]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120.0), (" 0 ", 0.0), ("", None), ("soon", None), ("-5", None), ("1.5", None), ("²", None)],
)
def test_retry_after_as_a_number(header: str, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_retry_after_as_a_date() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=90)
    assert retry_after(http_date(moment.timestamp())) == pytest.approx(90, abs=2)
    assert retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 0.0
