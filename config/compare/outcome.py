"""What a comparison is, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from apps.core.text import in_words

# what was counted, by name: "events_lost"
Figures: TypeAlias = dict[str, int | float]
KEPT = "Ours keeps the promise; the naive version breaks it."
NOT_KEPT = "This run does not show it: see the figures."


@dataclass(frozen=True)
class Comparison:
    """Two runs under the same conditions; `headline` is the figure that says it in one line.

    `kept` decides: whether ours kept the promise and the naive version broke it. `note` explains a figure that would
    surprise.
    """

    promise: str
    headline: str
    naive: Callable[[], Figures]
    ours: Callable[[], Figures]
    kept: Callable[[Figures, Figures], bool]
    note: str = ""

    def run(self) -> dict[str, Any]:
        """Run both; the promise, both sides' figures, the headline, the note and the verdict, as plain JSON values."""
        naive, ours = self.naive(), self.ours()
        return {
            "promise": self.promise,
            "headline": f"{in_words(self.headline)}: {naive[self.headline]:,} → {ours[self.headline]:,}",
            "note": self.note,
            "naive": naive,
            "ours": ours,
            "kept": (kept := self.kept(naive, ours)),
            "verdict": KEPT if kept else NOT_KEPT,
        }


def only_naive_has(*figures: str) -> Callable[[Figures, Figures], bool]:
    """For `kept`: each of `figures` counts something bad; the naive version has some of it, and ours none."""
    return lambda naive, ours: all(naive[name] > 0 and ours[name] == 0 for name in figures)
