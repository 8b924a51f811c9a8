"""Circuit breaker: pybreaker's states, exclusions and listeners over a state that all processes share.

What pybreaker leaves open is closed here: its Redis storage changes state in separate commands, so at half-open every
process probes at once; its lock is held over the call. Here each transition is one Lua script on Valkey's clock, one
caller holds the probe, on a lease, and no lock is held over I/O. Without Valkey the breaker works per process.
Source: M. Nygard, Release It!, 2nd ed., ch. 5; https://github.com/danielfm/pybreaker.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import pybreaker
import structlog
from prometheus_client import Counter

from apps.core.resilience.breaker_state import CLOSED, State, Verdict
from apps.core.resilience.deadline import deadline

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger("circuit_breaker")
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


class SharedCircuitBreaker(pybreaker.CircuitBreaker):
    """A pybreaker whose state is shared, with a total time-out for each call.

    `call_timeout` and `recovery_timeout` are in seconds; `exclude` names errors that are the caller's own fault.
    """

    def __init__(
        self,
        name: str,
        state: State,
        *,
        failure_threshold: int = 5,
        call_timeout: float = 5.0,
        recovery_timeout: float = 30.0,
        exclude: tuple[type[Exception], ...] = (),
    ) -> None:
        super().__init__(
            fail_max=failure_threshold,
            reset_timeout=recovery_timeout,
            exclude=list(exclude),
            listeners=[LoggedChanges()],
            name=name,
        )
        self.label = name
        self.shared = state
        self.call_timeout = call_timeout

    @property
    def current_state(self) -> str:
        shared: State | None = getattr(self, "shared", None)
        return shared.read(self.label) if shared else CLOSED

    def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `func` if the breaker lets it, and learn from the outcome.

        Raises CircuitOpen without calling where the breaker is open or another caller is probing, else as `func`.
        """
        token = uuid.uuid4().hex
        # a probe's lease outlives the probe itself by a second, so that a slow probe is not doubled
        lease_ms = int((self.call_timeout + 1) * 1000)
        verdict = self.shared.admit(self.label, int(self.reset_timeout * 1000), lease_ms, token)
        if not verdict.admitted:
            raise CircuitOpen(self.label, max(verdict.wait_ms, 1) / 1000)
        self._tell(verdict)
        try:
            with deadline(self.call_timeout):
                answer = func(*args, **kwargs)
        except Exception as error:
            if self.is_system_error(error):
                self._tell(self.shared.failed(self.label, self.fail_max, token))
            else:
                self._tell(self.shared.succeeded(self.label, token))
            raise
        self._tell(self.shared.succeeded(self.label, token))
        return answer

    def reset(self) -> None:
        """Close the breaker at once, whatever it has seen."""
        before = self.current_state
        self.shared.reset(self.label)
        self._tell(Verdict(before, CLOSED, True, 0))

    def _tell(self, verdict: Verdict) -> None:
        if verdict.before == verdict.after:
            return
        for listener in self.listeners:
            old, new = self._create_new_state(verdict.before), self._create_new_state(verdict.after)
            listener.state_change(self, old, new)
