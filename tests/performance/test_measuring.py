"""What the bench says of its figures: resolution, growth, duration, meter."""

from __future__ import annotations

import time

import pytest

from tests.performance.contenders import resolution
from tests.performance.durations import SECONDS, expected, in_words
from tests.performance.growth import grown, verdict
from tests.performance.http_part import shown
from tests.performance.meter import CPU_TIME, best_meter, open_counter
from tests.performance.options import GROWTH, PARTS, STEADY, WORKERS, read_options

SOFTWARE, TASK_CLOCK = 1, 1
NO_SUCH_KIND = 10**6


def spin() -> None:
    until = time.thread_time() + 0.02
    while time.thread_time() < until:
        pass


def test_the_resolution_is_the_spread_of_the_minima_of_the_same_job() -> None:
    assert resolution([5, 7, 6, 9]) == 4
    assert resolution([3.0] * 8) == 0


def test_what_comes_at_intervals_does_not_spoil_it() -> None:
    assert resolution([700.0, 500.0, 500.0, 500.0] * 100) == 0


def test_a_layer_below_the_resolution_has_no_figure() -> None:
    assert shown(12.0, 5.0) == 12.0
    assert shown(-12.0, 5.0) == -12.0
    assert shown(-4.0, 12.5) == shown(4.0, 12.5) == "< 12.5"


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(1.0, "flat"), (1.3, "logarithmic"), (9.8, "worse than logarithmic: every row is read")],
)
def test_growth_has_a_name(ratio: float, said: str) -> None:
    assert verdict(ratio, "every row is read") == said


def test_the_last_tenfold_decides() -> None:
    row = grown("search", {1000: 4.0, 10_000: 4.2, 100_000: 12.6}, {}, "ms")
    assert row["ms at 100,000"] == 12.6
    assert row["last tenfold"] == pytest.approx(3)
    assert row["growth"] == "worse than logarithmic: not explained"


def test_the_duration_is_known_for_every_part() -> None:
    assert set(SECONDS) == {*PARTS, GROWTH, WORKERS, STEADY}
    quick, whole = (expected(read_options([*more, "--growth"])) for more in (["--quick"], []))
    assert quick < whole / 4
    assert in_words(42) == "about 40 s"
    assert in_words(600) == "about 10 minutes"


def test_growth_is_measured_only_if_asked_for() -> None:
    assert GROWTH not in read_options([]).only
    assert read_options(["--growth"]).only == (*PARTS, GROWTH)
    assert read_options([]).sizes[-1] == 10**6
    assert read_options(["--quick"]).sizes[-1] == 10**5


def test_a_counter_of_the_kernel_counts_this_thread() -> None:
    counter = open_counter(SOFTWARE, TASK_CLOCK)
    if counter is None:
        pytest.skip("this kernel shows no counters")
    before = counter()
    spin()
    assert counter() > before


def test_without_a_counter_cpu_time_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_counter(NO_SUCH_KIND, 0) is None
    monkeypatch.setattr("tests.performance.meter.open_counter", lambda kind, event: None)
    assert best_meter() is CPU_TIME
    before = CPU_TIME.read()
    spin()
    assert (CPU_TIME.read() - before) / CPU_TIME.per >= 20_000
