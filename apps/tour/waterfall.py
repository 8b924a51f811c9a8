"""A trace as a waterfall: lanes of processes from top to bottom, time from left to right.

The numbers are units of the picture's own coordinates: the browser scales it, and no style stands in an element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, LABELS, ROW, GAP, HEAD = 1000, 150, 22, 12, 26
SMALLEST_BAR = 3
TICKS = 5


@dataclass(frozen=True)
class Span:
    """A piece of a trace: when it began and ended in nanoseconds since 1970, where, and what it was."""

    name: str
    lane: str
    began: int
    ended: int
    depth: int
    pattern: str = ""
    failed: bool = False
    detail: str = ""


@dataclass(frozen=True)
class Bar:
    """A span as it is drawn."""

    x: float
    y: float
    width: float
    label: str
    label_x: float
    anchor: str
    title: str
    pattern: str
    failed: bool


@dataclass(frozen=True)
class Lane:
    """A process, and the band that it has in the picture."""

    name: str
    y: float
    height: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Tick:
    """A line of the time's scale."""

    x: float
    label: str


@dataclass(frozen=True)
class Waterfall:
    """The picture, and how long the whole took in milliseconds."""

    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    height: float
    milliseconds: float
    width: int = WIDTH
    row: int = ROW
    head: int = HEAD
    labels: int = LABELS


def waterfall(spans: Sequence[Span]) -> Waterfall | None:
    """Draw `spans`; None if there are none. Lanes stand in the order in which they were first reached."""
    if not spans:
        return None
    begin, end = min(span.began for span in spans), max(span.ended for span in spans)
    whole = max(end - begin, 1)

    def place(moment: int) -> float:
        return LABELS + (moment - begin) / whole * (WIDTH - LABELS - 10)

    lanes: list[Lane] = []
    y = float(HEAD)
    for name in dict.fromkeys(span.lane for span in sorted(spans, key=lambda span: span.began)):
        rows = _rows([span for span in spans if span.lane == name], whole)
        bars = tuple(_bar(span, place, y + number * ROW) for number, row in enumerate(rows) for span in row)
        height = len(rows) * ROW
        lanes.append(Lane(name, y, height, bars))
        y += height + GAP
    ticks = tuple(
        Tick(place(begin + whole * number // TICKS), f"{whole / TICKS * number / 1e6:,.0f} ms")
        for number in range(TICKS + 1)
    )
    return Waterfall(tuple(lanes), ticks, y, whole / 1e6)


def _rows(spans: list[Span], whole: int) -> list[list[Span]]:
    """The spans of a lane in as few rows as they fit in without touching, each below what it is a part of."""
    rows: list[list[Span]] = []
    for span in sorted(spans, key=lambda span: (span.began, -span.ended)):
        for row in rows:
            # room for the label, which stands behind a short bar
            if row[-1].ended + whole // 8 <= span.began:
                row.append(span)
                break
        else:
            rows.append([span])
    return rows


def _bar(span: Span, place: Callable[[int], float], y: float) -> Bar:
    x, end = place(span.began), place(span.ended)
    width = max(end - x, SMALLEST_BAR)
    milliseconds = (span.ended - span.began) / 1e6
    # inside a bar that is long enough, else behind it, or before it at the right edge
    inside = width > 8 * len(span.name)
    behind = x + width + 8 * len(span.name) < WIDTH
    label_x, anchor = (x + 6, "start") if inside else (x + width + 5, "start") if behind else (x - 5, "end")
    title = f"{span.lane}: {span.name}, {milliseconds:,.2f} ms{f'; {span.detail}' if span.detail else ''}"
    return Bar(round(x, 1), y, round(width, 1), span.name, round(label_x, 1), anchor, title, span.pattern, span.failed)
