"""Circuit breaker: pybreaker's states, exclusions and listeners over a state that all processes share.

pybreaker's Redis storage changes state in separate commands, so at half-open every process probes at once, and its lock
is held over the call. Here each transition is one Lua script on Valkey's clock, one caller holds the probe, on a lease,
and no lock is held over I/O. Without Valkey the breaker works per process.

    breaker = SharedCircuitBreaker("people", ValkeyState(valkey), exclude=(DirectoryRefused,))
    answer = breaker.call(ask, "ada@example.com")
    with breaker.calling():
        answer = ask("ada@example.com")

Source: M. Nygard, Release It!, 2nd ed., ch. 5; https://github.com/danielfm/pybreaker.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ParamSpec, TypeVar

import pybreaker
import structlog
from prometheus_client import Counter

from apps.core.resilience.breaker_state import CLOSED, HALF_OPEN, OPEN, State, Verdict

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger("circuit_breaker")
STATES: dict[str, Callable[..., pybreaker.CircuitBreakerState]] = {
    CLOSED: pybreaker.CircuitClosedState,
    OPEN: pybreaker.CircuitOpenState,
    HALF_OPEN: pybreaker.CircuitHalfOpenState,
}
BREAKER_CHANGES = Counter("breaker_state_changes_total", "Circuit breaker transitions", ["breaker", "state"])


class CircuitOpen(pybreaker.CircuitBreakerError):
    """The call was refused without trying; `retry_after` says in seconds when a probe may pass."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"The circuit breaker {name!r} is open for another {retry_after:.1f} s")
        self.retry_after = retry_after


class LoggedChanges(pybreaker.CircuitBreakerListener):
    """Logs and counts every change of state."""

    def state_change(self, cb: pybreaker.CircuitBreaker, old_state: Any, new_state: Any) -> None:
        BREAKER_CHANGES.labels(cb.name or "", new_state.name).inc()
        log.warning("breaker_state", breaker=cb.name, before=old_state.name, after=new_state.name)


class SharedCircuitBreaker:
    """A circuit breaker whose state is shared by all processes, with a total time-out for each call.

    `failure_threshold` failures in a row open it; after `recovery_timeout` seconds one call probes. Errors of the types
    in `exclude` are the caller's own fault and count as successes. `time_limit` makes a context manager that ends the
    call after the given seconds (`call_timeout`); by default nothing does.
    """

    def __init__(
        self,
        name: str,
        state: State,
        *,
        failure_threshold: int = 5,
        call_timeout: float = 5.0,
        recovery_timeout: float = 30.0,
        exclude: Sequence[type[Exception]] = (),
        time_limit: Callable[[float], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.name = name
        self.failure_threshold = failure_threshold
        self.call_timeout = call_timeout
        self.recovery_timeout = recovery_timeout
        self.state = state
        self._time_limit = time_limit
        # decides what an error counts as and tells the listeners; its own state is not used
        self._rules = pybreaker.CircuitBreaker(name=name, exclude=list(exclude), listeners=[LoggedChanges()])

    @property
    def current_state(self) -> str:
        """The state as every process sees it: "closed", "open" or "half-open"."""
        return self.state.read(self.name)

    @property
    def seconds_shut(self) -> float:
        """How long it lets no call through; 0 if it would let the next one."""
        return self.state.wait_ms(self.name, int(self.recovery_timeout * 1000)) / 1000

    def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `func` if the breaker lets it, and count the outcome.

        Raises CircuitOpen without calling if the breaker is open or another caller is probing, else as `func`.
        """
        with self.calling():
            return func(*args, **kwargs)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Run the block as `call` runs a function. Raises CircuitOpen before the block, else as the block."""
        token = uuid.uuid4().hex
        # a probe's lease outlives the probe itself by a second, so that a slow probe is not doubled
        lease_ms = int((self.call_timeout + 1) * 1000)
        verdict = self.state.admit(self.name, int(self.recovery_timeout * 1000), lease_ms, token)
        if not verdict.admitted:
            raise CircuitOpen(self.name, max(verdict.wait_ms, 1) / 1000)
        self._tell(verdict)
        try:
            with self._time_limit(self.call_timeout):
                yield
        except Exception as error:
            if self._rules.is_system_error(error):
                self._tell(self.state.failed(self.name, self.failure_threshold, token))
            else:
                self._tell(self.state.succeeded(self.name, token))
            raise
        self._tell(self.state.succeeded(self.name, token))

    def add_listener(self, listener: pybreaker.CircuitBreakerListener) -> None:
        """Tell pybreaker's `listener` of every change of state that this process makes."""
        self._rules.add_listener(listener)

    def reset(self) -> None:
        """Close the breaker at once, whatever it has seen."""
        before = self.current_state
        self.state.reset(self.name)
        self._tell(Verdict(before, CLOSED, True, 0))

    def _tell(self, verdict: Verdict) -> None:
        if verdict.before == verdict.after:
            return
        old, new = (STATES[name](self._rules, None) for name in (verdict.before, verdict.after))
        for listener in self._rules.listeners:
            listener.state_change(self._rules, old, new)
