"""Commands of the event bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from apps.core.bus import Command


@dataclass(frozen=True)
class ReplayDeliveries(Command[int]):
    """Try dead or failed deliveries again at once, with fresh attempts; answers how many. `by` is kept with each."""

    ids: tuple[int, ...]
    by: str


@dataclass(frozen=True)
class PruneEvents(Command[int]):
    """Delete events older than the retention whose deliveries are all delivered; answers how many.

    With a delivery that is dead, or still waits, an event stays for a second, longer retention.
    """

    atomic: ClassVar[bool] = False
