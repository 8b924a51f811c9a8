"""The breaker's state in Valkey and in memory: the same steps lead to the same states."""

from __future__ import annotations

import pytest
from django.conf import settings

from apps.core.resilience.breaker_state import CLOSED, HALF_OPEN, OPEN, MemoryState, State, ValkeyState
from apps.core.resilience.valkey import Valkey

NAME, LONG, NOW = "people", 60_000, 0


@pytest.fixture(params=["memory", "valkey"])
def state(request: pytest.FixtureRequest) -> State:
    """A store of each kind."""
    return MemoryState() if request.param == "memory" else ValkeyState(Valkey(settings.ENV.redis_url, timeout=1.0))


def trip(state: State) -> None:
    for _ in range(2):
        state.failed(NAME, 2, "x")
    assert state.read(NAME) == OPEN


def test_it_opens_at_the_threshold_and_not_before(state: State) -> None:
    assert state.admit(NAME, LONG, LONG, "a") == (CLOSED, CLOSED, True, 0)
    assert state.failed(NAME, 2, "a")[:2] == (CLOSED, CLOSED)
    assert state.failed(NAME, 2, "b")[:2] == (CLOSED, OPEN)
    refused = state.admit(NAME, LONG, LONG, "c")
    assert refused[:3] == (OPEN, OPEN, False)
    assert 0 < refused.wait_ms <= LONG


def test_a_success_in_between_starts_the_count_anew(state: State) -> None:
    for _ in range(3):
        state.failed(NAME, 2, "a")
        assert state.succeeded(NAME, "b")[:2] == (CLOSED, CLOSED)
    assert state.read(NAME) == CLOSED


def test_one_token_holds_the_probe(state: State) -> None:
    trip(state)
    assert state.admit(NAME, NOW, LONG, "probe")[:3] == (OPEN, HALF_OPEN, True)
    assert state.admit(NAME, NOW, LONG, "other")[:3] == (HALF_OPEN, HALF_OPEN, False)
    assert state.failed(NAME, 2, "other")[:2] == (HALF_OPEN, HALF_OPEN)
    assert state.succeeded(NAME, "other")[:2] == (HALF_OPEN, HALF_OPEN)
    assert state.succeeded(NAME, "probe")[:2] == (HALF_OPEN, CLOSED)


def test_a_failed_probe_opens_it_again(state: State) -> None:
    trip(state)
    state.admit(NAME, NOW, LONG, "probe")
    assert state.failed(NAME, 2, "probe")[:2] == (HALF_OPEN, OPEN)
    assert state.admit(NAME, LONG, LONG, "next").admitted is False


def test_a_probe_whose_lease_is_over_is_followed_by_another(state: State) -> None:
    trip(state)
    state.admit(NAME, NOW, NOW, "lost")
    assert state.admit(NAME, LONG, LONG, "next")[:3] == (HALF_OPEN, HALF_OPEN, True)
    assert state.succeeded(NAME, "lost")[:2] == (HALF_OPEN, HALF_OPEN)
    assert state.succeeded(NAME, "next")[:2] == (HALF_OPEN, CLOSED)


def test_late_failures_do_not_keep_an_open_one_open_for_longer(state: State) -> None:
    trip(state)
    before = state.admit(NAME, LONG, LONG, "a").wait_ms
    assert state.failed(NAME, 2, "late")[:2] == (OPEN, OPEN)
    assert state.admit(NAME, LONG, LONG, "b").wait_ms <= before


def test_a_reset_closes_it(state: State) -> None:
    trip(state)
    state.reset(NAME)
    assert state.read(NAME) == CLOSED
    assert state.failed(NAME, 2, "a")[:2] == (CLOSED, CLOSED), "the count is anew, too"


def test_it_says_how_long_it_lets_nobody_through(state: State) -> None:
    assert state.wait_ms(NAME, LONG) == 0
    trip(state)
    assert 0 < state.wait_ms(NAME, LONG) <= LONG
    assert state.wait_ms(NAME, NOW) == 0
    state.admit(NAME, NOW, LONG, "probe")
    assert 0 < state.wait_ms(NAME, NOW) <= LONG, "as long as the probe may take"
    state.reset(NAME)
    assert state.wait_ms(NAME, LONG) == 0
