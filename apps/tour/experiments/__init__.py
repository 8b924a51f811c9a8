"""Experiments: each breaks something on purpose, or races it, and counts what came of it.

A module registers its own with `@experiment`; they run in development only, against the running service itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules


@dataclass(frozen=True)
class Fact:
    """Something counted or answered; `tone` colours it: good, warn or bad.

    With `seconds` left the value is "in SECONDS s", and the page's script counts them down.
    """

    label: str
    value: str
    tone: str = ""
    seconds: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of an experiment: what was seen, and whether the promise was kept (None: time will tell).

    `undecided` says why a run shows neither.
    `cohort` names the people whom it registered, so that the page can follow them: see apps/tour/parts.py.
    """

    facts: tuple[Fact, ...]
    kept: bool | None = None
    note: str = ""
    undecided: str = ""
    cohort: str = ""
    trace_id: str = ""


@dataclass(frozen=True)
class Experiment:
    """A button of the tour: `pattern` is the slug of what it shows, `repair` the experiment that mends it again."""

    name: str
    title: str
    pattern: str
    does: str
    promise: str
    run: Callable[[], Outcome]
    group: str
    repair: str = ""


@dataclass(frozen=True)
class Broken:
    """Something outside that may be broken now: what it is called, how it is broken (empty: it works), its repair."""

    label: str
    how: Callable[[], str]
    repair: str


EXPERIMENTS: dict[str, Experiment] = {}
# by the pattern whose part of the page says so
BROKEN: dict[str, Broken] = {}
BREAK_IT = "Break it"


def add(made: Experiment) -> None:
    """Make it a button."""
    EXPERIMENTS[made.name] = made


class CannotRun(Exception):
    """The experiment needs something that is not there; the message says what, and how to get it."""


def experiment(
    title: str, *, pattern: str, does: str, promise: str, group: str, repair: str = ""
) -> Callable[[Callable[[], Outcome]], Callable[[], Outcome]]:
    """Register a function as the experiment of its own name, with `-` for `_`."""

    def made_of(run: Callable[[], Outcome]) -> Callable[[], Outcome]:
        add(Experiment(run.__name__.replace("_", "-"), title, pattern, does, promise, run, group, repair))
        return run

    return made_of


def find() -> None:
    """Import each module of this package, which makes its experiments known."""
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
