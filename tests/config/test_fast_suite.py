"""What `make test-fast` leaves out: the tests that can start a process, found by what they refer to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import breakers, conftest, processes
from tests.starts import MARK, MOST_WORKERS, reaches, starts_processes
from tests.waiting import wait_for


def run_something() -> int:
    return subprocess.run([sys.executable, "-c", ""], check=False).returncode


def around_it() -> list[Callable[[], int]]:
    def inner() -> int:
        return run_something() + 1

    return [inner]


class Starter:
    def act(self) -> None:
        os.fork()


def by_its_methods() -> None:
    Starter().act()


@pytest.mark.parametrize(
    ("thing", "found"),
    [
        *((starter, True) for starter in (run_something, around_it, by_its_methods, processes.running)),
        *((innocent, False) for innocent in (wait_for, conftest.ask, breakers.fresh_breaker)),
    ],
)
def test_what_a_function_refers_to_decides(thing: Callable[..., object], found: bool) -> None:
    assert reaches(thing) is found


@pytest.fixture
def starter() -> Callable[[], int]:
    return run_something


def test_a_fixture_counts(starter: object, request: pytest.FixtureRequest) -> None:
    assert starts_processes(request.node)
    assert request.node.get_closest_marker(MARK)


def test_two_workers_for_each_core(pytestconfig: pytest.Config) -> None:
    workers = pytestconfig.hook.pytest_xdist_auto_num_workers(config=pytestconfig)
    assert workers == min((os.cpu_count() or 1) * 2, MOST_WORKERS)


def test_what_starts_nothing_is_not_left_out(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    assert not starts_processes(request.node)
    assert not request.node.get_closest_marker(MARK)
