"""What the growth of a cost is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.performance.report import Value

# a tenfold of rows makes a logarithm grow by a quarter to a half at these sizes
FLAT, LOGARITHMIC = 1.25, 1.6


def per_tenfold(costs: Sequence[float]) -> float:
    """By how much the last tenfold multiplied the cost: a constant part hides the growth before."""
    return costs[-1] / costs[-2] if len(costs) > 1 else 1.0


def verdict(ratio: float, explanation: str = "not explained") -> str:
    """flat, logarithmic, or worse and why."""
    if ratio < FLAT:
        return "flat"
    return "logarithmic" if ratio < LOGARITHMIC else f"worse than logarithmic: {explanation}"


def grown(what: str, costs: Mapping[int, float], explained: Mapping[str, str], unit: str) -> dict[str, Value]:
    """The row of a table: the cost at each size, and what its growth is called."""
    ratio = per_tenfold(list(costs.values()))
    row: dict[str, Value] = {"what": what}
    row |= {f"{unit} at {size:,}": cost for size, cost in costs.items()}
    return row | {"last tenfold": ratio, "growth": verdict(ratio, explained.get(what, "not explained"))}
