"""What the bench prints: sections of rows, as rich tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

Value = str | int | float | None


@dataclass(frozen=True)
class Section:
    """One table: its rows have the same columns, whose names say the unit; notes explain it."""

    name: str
    title: str
    rows: Sequence[dict[str, Value]]
    notes: Sequence[str] = field(default_factory=tuple)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of `values` do not exceed; 0 for none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, round(len(ordered) * percent / 100) - 1))]


def show(section: Section) -> None:
    """Print the section on standard output."""
    table = Table(title=section.title, title_justify="left", title_style="bold")
    columns = list(section.rows[0]) if section.rows else []
    for column in columns:
        is_number = any(isinstance(row[column], int | float) for row in section.rows)
        table.add_column(column, justify="right" if is_number else "left")
    for row in section.rows:
        table.add_row(*(figure(row[column]) for column in columns))
    console = _console()
    console.print()
    console.print(table)
    for note in section.notes:
        console.print(f"  {note}", highlight=False, markup=False)


def say(text: str) -> None:
    """Print a line about the run, on standard error: it is not a result."""
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)


def _console() -> Console:
    found = Console()
    # in a pipe rich assumes 80 columns and would cut the cells
    return found if found.is_terminal else Console(width=170)


def figure(value: Value) -> str:
    """As people read it: three digits that count."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else value
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
