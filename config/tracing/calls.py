"""Calls to other machines as spans: each try of a retry, and what a circuit breaker says to it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from apps.core.context import span
from apps.core.resilience.circuit_breaker import CircuitOpen, P, SharedCircuitBreaker, T
from apps.core.resilience.retry import Retry


class TracedRetry(Retry):
    """A Retry, each of whose attempts is a span."""

    def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As Retry does."""
        attempts = count(1)

        @functools.wraps(func)
        def attempt(*args: P.args, **kwargs: P.kwargs) -> T:
            with span("attempt", attributes={"app.attempt": next(attempts)}):
                return func(*args, **kwargs)

        return super().call(attempt, *args, **kwargs)


class TracedBreaker(SharedCircuitBreaker):
    """A circuit breaker whose verdict on each call stands in a span."""

    @contextmanager
    def calling(self) -> Iterator[None]:
        """As SharedCircuitBreaker does."""
        with span(f"breaker {self.name}", attributes={"app.breaker.verdict": "admitted"}) as traced:
            try:
                with super().calling():
                    yield
            except CircuitOpen:
                traced.note({"app.breaker.verdict": "refused"})
                raise
