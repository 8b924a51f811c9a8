"""Other machines, played by a process of `make run` if no real one is set: a module for each, with `stand_in`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from config.stack.child import Child
from config.stack.plan import Plan


@dataclass(frozen=True)
class StandIn:
    """`child` plays the machine that `settings` lead to.

    `commands` are some to try it with, as they are shown once everything runs, under what they do.
    """

    child: Child
    said: str
    settings: Mapping[str, str]
    does: str
    commands: Callable[[Plan], list[str]]


def stand_ins(environment: Mapping[str, str]) -> Iterator[StandIn]:
    """One for each machine that the environment names no real one of."""
    for module in iter_modules(__path__):
        found: StandIn | None = import_module(f"{__name__}.{module.name}").stand_in(environment)
        if found:
            yield found
