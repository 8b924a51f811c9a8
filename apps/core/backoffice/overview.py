"""The admin's overview: panels that each app fills, drawn from bounded statements.

An app's admin.py registers a panel with `@panel`; its function answers with `Content`. A panel that fails, or whose
statement takes too long, shows the reason in its place; the others and the page itself do not notice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.urls import reverse
from psycopg.errors import QueryCanceled

from apps.core.backoffice.links import Link
from apps.core.reads import CAP
from apps.core.resilience.valkey import Unavailable

log = structlog.get_logger("admin")
ACTIVITY_ROWS = 50_000
STATEMENT_MS = 2_000
SECONDS = {"minute": 60, "hour": 3600}


@dataclass(frozen=True)
class Figure:
    """A number with its name; `tone` colours it: good, warn or bad."""

    label: str
    value: str
    link: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Bar:
    """One bar of a chart, in units of its viewBox: `x` from the left, `height` of at most Bars.HEIGHT."""

    x: int
    y: int
    height: int
    title: str


@dataclass(frozen=True)
class Bars:
    """A bar a `unit` ("minute" or "hour"), the oldest first; the last is the one that runs now."""

    HEIGHT = 100
    BAR_WIDTH = 10

    caption: str
    unit: str
    values: Sequence[int]

    @property
    def width(self) -> int:
        return len(self.values) * self.BAR_WIDTH

    @property
    def peak(self) -> int:
        return max(self.values, default=0)

    @property
    def total(self) -> int:
        return sum(self.values)

    @property
    def bars(self) -> list[Bar]:
        """The bars that are not empty; even the smallest is high enough to be seen."""
        drawn = []
        for place, value in enumerate(self.values):
            if value:
                ago = len(self.values) - 1 - place
                height = max(value * self.HEIGHT // self.peak, 3)
                when = f"{ago} {self.unit}{'' if ago == 1 else 's'} ago" if ago else f"this {self.unit}"
                drawn.append(Bar(place * self.BAR_WIDTH, self.HEIGHT - height, height, f"{when}: {value:,}"))
        return drawn


@dataclass(frozen=True)
class Table:
    """Rows of texts and links under a head."""

    head: Sequence[str]
    rows: Sequence[Sequence[Link | str]]


@dataclass(frozen=True)
class Content:
    """What a panel shows."""

    figures: Sequence[Figure] = ()
    bars: Bars | None = None
    table: Table | None = None
    note: str = ""
    empty: str = ""


@dataclass(frozen=True)
class Panel:
    """A registered panel; `route` names the page that shows more, if any; `of_database` says that it asks only that."""

    title: str
    route: str
    place: int
    content: Callable[[], Content]
    of_database: bool = True


@dataclass(frozen=True)
class Drawn:
    """A panel as the page shows it: with its content, or with the reason why there is none."""

    title: str
    link: str
    content: Content | None = None
    reason: str = ""


PANELS: list[Panel] = []


def panel(
    title: str, *, route: str = "", place: int, of_database: bool = True
) -> Callable[[Callable[[], Content]], Callable[[], Content]]:
    """Decorator: show what the function answers with as a panel, in the order of `place`.

    One that asks another machine than the database is not `of_database`: no transaction waits for other machines.
    """

    def register(content: Callable[[], Content]) -> Callable[[], Content]:
        PANELS.append(Panel(title, route, place, content, of_database))
        PANELS.sort(key=lambda one: one.place)
        return content

    return register


def draw() -> list[Drawn]:
    """Every panel; those of the database each in a transaction and a time limit of its own."""
    return [_draw(one) for one in PANELS]


def _draw(one: Panel) -> Drawn:
    link = reverse(one.route) if one.route else ""
    try:
        if not one.of_database:
            return Drawn(one.title, link, one.content())
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(STATEMENT_MS)])
            return Drawn(one.title, link, one.content())
    except Exception as error:  # whatever it was, the rest of the page must still show
        log.warning("panel_failed", panel=one.title, error=repr(error))
        return Drawn(one.title, link, reason=_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, Unavailable):
        return f"Valkey does not answer: {error}."
    if isinstance(error.__cause__, QueryCanceled):
        return f"The database took longer than {STATEMENT_MS // 1000} s to count this."
    if isinstance(error, DatabaseError):
        return f"The database refused: {str(error).partition(chr(10))[0]}"
    return f"{type(error).__name__}: {error}"


def capped(rows: QuerySet[Any]) -> int:
    """How many `rows` there are; CAP + 1 stands for more than CAP."""
    return rows.order_by()[: CAP + 1].count()


def said(number: int) -> str:
    """A capped count for people: 10,000+ if there are more."""
    return f"{CAP:,}+" if number > CAP else f"{number:,}"


def age(seconds: float | None) -> str:
    """A span of time in its largest unit: 45 s, 12 min, 3 h, 2 d; "none" for None."""
    if seconds is None:
        return "none"
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def activity(caption: str, table: str, column: str, unit: str, steps: int) -> Bars:
    """Rows of `table` by the minute or hour of its indexed `column`, over the last `steps` of them.

    Looks at the newest ACTIVITY_ROWS at most, and says so if there are more.
    """
    size = SECONDS[unit]
    sql = f"""
        SELECT least(greatest(floor(date_part('epoch', now() - at) / {size}), 0), {steps - 1})::int, count(*)
        FROM (SELECT {column} AS at FROM {table} WHERE {column} > now() - make_interval(secs => {size * steps})
              ORDER BY {column} DESC LIMIT {ACTIVITY_ROWS}) newest GROUP BY 1"""  # noqa: S608 - constants of the code
    with connection.cursor() as cursor:
        cursor.execute(sql)
        found = dict(cursor.fetchall())
    if sum(found.values()) >= ACTIVITY_ROWS:
        caption = f"{caption} (the newest {ACTIVITY_ROWS:,})"
    return Bars(caption, unit, [found.get(ago, 0) for ago in range(steps - 1, -1, -1)])
