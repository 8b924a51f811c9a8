"""The service's circuit breakers, to look at and to reset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from apps.core.bus import Command, Query
from apps.core.errors import NotFound
from apps.core.resilience.circuit_breaker import SharedCircuitBreaker


@dataclass(frozen=True)
class GetBreakers(Query[dict[str, str]]):
    """Every breaker's name and state: closed, open, half_open."""


@dataclass(frozen=True)
class GetPauses(Query[dict[str, float]]):
    """Every breaker's name, and for how many seconds it lets no call through; 0 if it would let the next one."""


@dataclass(frozen=True)
class ResetBreaker(Command[None]):
    """Close a breaker. Refused with NotFound, which names those there are."""

    atomic: ClassVar[bool] = False
    name: str


class Breakers:
    """Breakers by name, and the handlers for them."""

    def __init__(self) -> None:
        self._by_name: dict[str, SharedCircuitBreaker] = {}

    def add(self, breaker: SharedCircuitBreaker) -> None:
        """Take one in."""
        self._by_name[breaker.name] = breaker

    def all(self, query: GetBreakers) -> dict[str, str]:
        """Return the states as every process sees them."""
        return {name: breaker.current_state.replace("-", "_") for name, breaker in self._by_name.items()}

    def pauses(self, query: GetPauses) -> dict[str, float]:
        """Return the answer to GetPauses."""
        return {name: breaker.seconds_shut for name, breaker in self._by_name.items()}

    def reset(self, command: ResetBreaker) -> None:
        """Close the breaker for every process."""
        if command.name not in self._by_name:
            raise NotFound(f"There is no breaker {command.name!r}; there is {', '.join(self._by_name) or 'none'}.")
        self._by_name[command.name].reset()
