"""pytest plugin: how the suite is run, given that many tests start processes.

Each test that can start one is marked with `processes`; `make test-fast` leaves these out.

It follows what a test, its fixtures and the helpers they name refer to, so no list has to be kept.
"""

from __future__ import annotations

import gc
import inspect
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

MARK = "processes"
# whose code is followed; that of the service and of libraries is not
OURS = ("tests.", "config.stack.")
STARTERS = ("subprocess.", "multiprocessing.", "selenium.")
MOST_WORKERS = 4
LEFT_OUT = pytest.StashKey[dict[str, int]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{MARK}: can start a process; set by tests/starts.py")


# first, or pytest-xdist's own answer counts
@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two for each core: a test that starts processes waits for half of its time."""
    return min((os.cpu_count() or 1) * 2, MOST_WORKERS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark them, before `-m` is looked at, and begin with their modules: the quick ones then end at the same time."""
    marked = [item for item in items if isinstance(item, pytest.Function) and starts_processes(item)]
    for item in marked:
        item.add_marker(MARK)
    slow = {item.path for item in marked}
    items.sort(key=lambda item: item.path not in slow)
    config.stash[LEFT_OUT] = Counter(Path(item.nodeid.split("::")[0]).parts[1] for item in marked)


def pytest_collection_finish() -> None:
    """Let the garbage collection pass over what has been loaded and collected by now, and stays."""
    gc.collect()
    gc.freeze()


def starts_processes(item: pytest.Function) -> bool:
    """Whether the test or a fixture of it refers to something that starts a process."""
    fixtures = [found.func for defs in item._fixtureinfo.name2fixturedefs.values() for found in defs]
    return any(reaches(function) for function in (item.function, *fixtures) if is_ours(function))


def is_ours(thing: Any) -> bool:
    """Whether the function or class is one of the tests' or of the development stack's."""
    return f"{getattr(thing, '__module__', '')}.".startswith(OURS)


@cache
def reaches(thing: Any) -> bool:
    """Whether the function or class, or what it refers to, starts a process."""
    seen, waiting = set(), [thing]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        for name, found in referred(one):
            if name == "fork" or is_starter(found):
                return True
            if isinstance(found, FunctionType | type) and is_ours(found):
                waiting.append(found)
    return False


def is_starter(thing: Any) -> bool:
    """Whether it is, or comes from, a module that starts processes."""
    module = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    return f"{module}.".startswith(STARTERS)


def referred(thing: Any) -> Iterator[tuple[str, Any]]:
    """The names that a function's code, or those of a class's methods, use, each with what stands behind it."""
    if isinstance(thing, type):
        yield from ((name, found) for name, found in vars(thing).items() if isinstance(found, FunctionType))
        return
    function = inspect.unwrap(thing)
    for name in names_in(function.__code__):
        yield name, function.__globals__.get(name)


def names_in(code: CodeType) -> Iterator[str]:
    """Every global or attribute that the code or a function inside it names."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker of pytest-xdist has counted: each collects all tests, and the main process none."""
    counts: dict[str, int] = getattr(node, "workeroutput", {}).get(MARK, {})
    node.config.stash[LEFT_OUT] = counts


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the count from a worker of pytest-xdist to the main process."""
    counts = session.config.stash.get(LEFT_OUT, None)
    if counts and hasattr(session.config, "workeroutput"):
        session.config.workeroutput[MARK] = dict(counts)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say which folders' tests were left out."""
    if config.option.markexpr == f"not {MARK}" and (counts := config.stash.get(LEFT_OUT, None)):
        left = ", ".join(f"{folder} {count}" for folder, count in sorted(counts.items()))
        terminalreporter.write_line(f"left out, for they start processes of their own: {left}; `make test` runs all")
