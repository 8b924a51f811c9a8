"""Starts throwaway services, and on them a process that compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from config.env import ROOT
from config.stack.child import Child
from config.stack.throwaway import Services, throwaway_services
from config.stack.wheels import ServiceError, environment

# a comparison takes a few, and its process ends it after two minutes
SECONDS = 150
LAST_LINES = 30


class NotCompared(Exception):
    """The comparison could not be run; the message says why."""


def compare(names: Sequence[str]) -> Generator[dict[str, Any]]:
    """What `Comparison.run` says of each pattern as soon as it is done, with `pattern`, `seconds`. Raises NotCompared.

    Nothing of the service that may be running is touched: PostgreSQL and Valkey are started for this and end with it,
    however it ends.
    """
    try:
        with throwaway_services() as services:
            yield from _compare(names, services)
    except ServiceError as error:
        raise NotCompared(str(error)) from None


def _compare(names: Sequence[str], services: Services) -> Generator[dict[str, Any]]:
    # the guard removes it even if this process is killed
    folder = services.postgres.folder.parent
    results, supervisor = folder / "results", services.supervisor
    results.touch()
    child = Child(
        name="compare",
        command=(sys.executable, "-m", "config.compare", str(results), *names),
        environment=_environment(services, folder),
        folder=ROOT,
    )
    supervisor.start(child)
    read: list[str] = []

    def another() -> bool:
        """Whether there is one more outcome, or will be none."""
        return len(results.read_text().splitlines()) > len(read) or supervisor.failures(child.name) > 0

    while len(read) < len(names):
        supervisor.wait_for(another, SECONDS)
        new = results.read_text().splitlines()[len(read) :]
        if not new:
            raise NotCompared(f"The comparison did not end:\n{_last_lines(supervisor.log(child.name))}")
        read += new
        yield from map(json.loads, new)


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])


def _environment(services: Services, folder: Path) -> dict[str, str]:
    """Nothing of the user's own settings: figures must not depend on them."""
    return {
        **environment(),
        "TMPDIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "config.compare.django_settings",
        # in a race that is held up nobody may give up
        "DATABASE_URL": f"{services.postgres.url()}?options=-c%20lock_timeout%3D60s",
        "REDIS_URL": services.valkey.url(),
        "SECRET_KEY": "only-for-a-comparison-only-for-a-comparison",
        "EMAIL_URL": f"filemail:///{folder}/mail",
        "STATE_DIR": str(folder),
        "RATE_LIMIT_PER_MINUTE": "1000000",
        "LOG_LEVEL": "CRITICAL",
        # on a busy machine any statement may be slow
        "SLOW_QUERY_MS": "0",
    }
