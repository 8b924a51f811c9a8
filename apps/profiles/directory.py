"""What the service knows of the people directory; its client is in people.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Protocol

from apps.profiles.commands import Person


class DirectoryUnavailable(Exception):
    """The directory cannot answer now; `retry_after` says in seconds when it is worth asking again."""

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class DirectoryRefused(Exception):
    """The directory answered 4xx: the request is wrong, asking again will not help, and the directory is not broken."""


class People(Protocol):
    """A directory that knows people by their e-mail."""

    def find(self, address: str) -> Person | None:
        """The person with this e-mail; None if there is none. Raises DirectoryUnavailable, DirectoryRefused."""
        ...


class Nobody:
    """The directory of a deployment that has none."""

    def find(self, address: str) -> Person | None:
        """Always None."""
        return None


class WhenAsked:
    """The directory that `make` returns, made when it is first asked: most processes never ask."""

    def __init__(self, make: Callable[[], People]) -> None:
        self._make = make

    @cached_property
    def _people(self) -> People:
        return self._make()

    def find(self, address: str) -> Person | None:
        """As the directory itself."""
        return self._people.find(address)
