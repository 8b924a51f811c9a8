"""Starts throwaway services, and on them a process that compares."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config.env import ROOT
from config.stack.child import Child
from config.stack.throwaway import Services, throwaway_services
from config.stack.wheels import ServiceError, environment

LAST_LINES = 30


class NotCompared(Exception):
    """The comparison could not be run; the message says why."""


def compare(names: Sequence[str]) -> list[dict[str, Any]]:
    """The outcome of each pattern's comparison, as `Comparison.run` returns it, with `pattern`. Raises NotCompared.

    Nothing of the service that may be running is touched: PostgreSQL and Valkey are started for this and end with it,
    however it ends.
    """
    try:
        with tempfile.TemporaryDirectory() as folder, throwaway_services() as services:
            return _compare(names, services, Path(folder))
    except ServiceError as error:
        raise NotCompared(str(error)) from None


def _compare(names: Sequence[str], services: Services, folder: Path) -> list[dict[str, Any]]:
    results = folder / "results"
    child = Child(
        name="compare",
        command=(sys.executable, "-m", "config.compare", str(results), *names),
        environment=_environment(services, folder),
        folder=ROOT,
    )
    outcome = services.supervisor.run_once(child)
    if outcome.status:
        last = "\n".join(outcome.output.splitlines()[-LAST_LINES:])
        raise NotCompared(f"The comparison ended with the status {outcome.status}:\n{last}")
    return [json.loads(line) for line in results.read_text().splitlines()]


def _environment(services: Services, folder: Path) -> dict[str, str]:
    """Nothing of the user's own settings: figures must not depend on them."""
    return {
        **environment(),
        **{name: os.environ[name] for name in ("TMPDIR", "PYTHONPATH") if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "config.compare.django_settings",
        "DATABASE_URL": services.postgres.url(),
        "REDIS_URL": services.valkey.url(),
        "SECRET_KEY": "only-for-a-comparison-only-for-a-comparison",
        "EMAIL_URL": f"filemail:///{folder}/mail",
        "STATE_DIR": str(folder),
        "RATE_LIMIT_PER_MINUTE": "1000000",
        "LOG_LEVEL": "ERROR",
        # on a busy machine any statement may be slow
        "SLOW_QUERY_MS": "0",
    }
