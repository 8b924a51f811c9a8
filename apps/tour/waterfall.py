"""A trace as a waterfall: lanes of processes from top to bottom, time from left to right.

The numbers are units of the picture's own coordinates: the browser scales it, and no style stands in an element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

WIDTH, LABELS, ROW, GAP, HEAD = 1000, 150, 22, 12, 26
SMALLEST_BAR, SPACE = 3, 5
# of a label, by how wide a letter is in the widest of the usual sans-serif faces
NARROW, MIDDLE, WIDE, WIDEST = 4.6, 7.3, 8.6, 11.4
WIDTHS = {**dict.fromkeys("fijlrt.,:;|'/ ", NARROW), **dict.fromkeys("mwMW%", WIDEST)}
TICKS = 5
WHOLE = 100


@dataclass(frozen=True)
class Span:
    """A piece of a trace: when it began and ended in nanoseconds since 1970, where, and what it was."""

    name: str
    lane: str
    began: int
    ended: int
    pattern: str = ""
    failed: bool = False
    detail: str = ""


@dataclass(frozen=True)
class Bar:
    """A span as it is drawn; `left` and `right` are the ends of bar and label together."""

    x: float
    y: float
    width: float
    label: str
    label_x: float
    anchor: str
    left: float
    right: float
    title: str
    pattern: str
    failed: bool
    detail: str = ""


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
        rows = _rows([_bar(span, place) for span in spans if span.lane == name])
        bars = tuple(replace(bar, y=y + number * ROW) for number, row in enumerate(rows) for bar in row)
        height = len(rows) * ROW
        lanes.append(Lane(name, y, height, bars))
        y += height + GAP
    ticks = tuple(
        Tick(place(begin + whole * number // TICKS), f"{whole / TICKS * number / 1e6:,.0f} ms")
        for number in range(TICKS + 1)
    )
    return Waterfall(tuple(lanes), ticks, y, whole / 1e6)


def breadth(label: str) -> float:
    """How much room a label takes, rather more than less."""
    return sum(WIDTHS.get(letter, WIDE if letter.isupper() else MIDDLE) for letter in label)


def in_milliseconds(nanoseconds: int) -> str:
    """A span of time as people read it: three digits, and no fraction from WHOLE up."""
    milliseconds = nanoseconds / 1e6
    return f"{milliseconds:,.0f} ms" if milliseconds >= WHOLE else f"{milliseconds:.3g} ms"


def _rows(bars: list[Bar]) -> list[list[Bar]]:
    """The bars of a lane in as few rows as they fit in without touching, what began earlier further up."""
    rows: list[list[Bar]] = []
    for bar in sorted(bars, key=lambda bar: (bar.x, -bar.width)):
        fitting = (row for row in rows if all(bar.left > other.right or bar.right < other.left for other in row))
        row = next(fitting, None)
        if row is None:
            rows.append([bar])
        else:
            row.append(bar)
    return rows


def _bar(span: Span, place: Callable[[int], float]) -> Bar:
    x, end = place(span.began), place(span.ended)
    width, letters = max(end - x, SMALLEST_BAR), breadth(span.name)
    # inside a bar that is long enough, else behind it, or before it at the right edge
    if width > letters + 2 * SPACE:
        label_x, anchor, left, right = x + SPACE, "start", x, x + width
    elif x + width + SPACE + letters < WIDTH:
        label_x, anchor, left, right = x + width + SPACE, "start", x, x + width + 2 * SPACE + letters
    else:
        label_x, anchor, left, right = x - SPACE, "end", x - 2 * SPACE - letters, x + width
    title = f"{span.lane}: {span.name}, {in_milliseconds(span.ended - span.began)}"
    numbers = (round(number, 1) for number in (x, width, label_x, left, right))
    x, width, label_x, left, right = numbers
    return Bar(x, 0, width, span.name, label_x, anchor, left, right, title, span.pattern, span.failed, span.detail)
