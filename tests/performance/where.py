"""Where a request's time goes, by function: python -m tests.performance.where [REQUESTS], a Markdown table a kind.

Each kind is profiled in one process against its own PostgreSQL and Valkey. A profiler makes small functions look
dearer than they are, so the shares are given to the CPU time of the same requests without it: the minimum of many
short turns, since whatever else the machine does can only add.
"""

from __future__ import annotations

import cProfile
import pstats
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path

from tests.performance.http_part import SEED
from tests.performance.meter import CPU_TIME
from tests.performance.probing import Probe, cost, requests
from tests.performance.stack import running

TITLES = {"get": "GET one", "list": "GET, list of 100", "post": "POST", "keyed": "POST with Idempotency-Key"}
ROUNDS, TURN, SHOWN = 30, 10, 12
WAYS = ("site-packages/", "/lib/python")


def place(file: str, line: int, function: str) -> str:
    """A function's name for people: the file in its library or in this repository, and what it is called."""
    if file == "~":
        return function.strip("<>")
    for way in WAYS:
        file = file.rpartition(way)[2]
    here = str(Path(__file__).resolve().parents[2])
    return f"{file.removeprefix(here).lstrip('/')}: {function}"


def table(title: str, probe: Probe, number: int) -> str:
    """A request's CPU µs by function, the dearest first; a function's own time, without what it calls."""
    used = min(cost(probe, TURN, CPU_TIME) for _ in range(ROUNDS))
    run = probe.prepare(number)
    # CPU time of this thread: a wait for a server costs it nothing
    profile = cProfile.Profile(time.thread_time_ns, 1e-9)
    profile.runcall(run)
    rows = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined] # typeshed leaves it out
    whole = sum(row[2] for _, row in rows)
    lines = [f"### {title}: {used:.0f} µs", "", "| function | calls | CPU µs |", "| --- | --- | --- |"]
    for key, row in sorted(rows, key=lambda item: item[1][2], reverse=True)[:SHOWN]:
        lines.append(f"| `{place(*key)}` | {row[1] / number:.1f} | {row[2] / whole * used:.0f} |")
    rest = sum(sorted((row[2] for _, row in rows), reverse=True)[SHOWN:]) / whole * used
    return "\n".join([*lines, f"| {len(rows) - SHOWN} others | | {rest:.0f} |", ""])


def measure(number: int) -> None:
    """Print the tables; in the process that is measured."""
    from config.wsgi import application
    from tests.performance import contender, layers

    token = layers.log_in()
    kinds = dict(contender.KINDS)
    kinds["keyed"] = replace(kinds["post"], headers=lambda: {"HTTP_IDEMPOTENCY_KEY": uuid.uuid4().hex})
    for name, title in TITLES.items():
        sys.stdout.write(table(title, requests(application, kinds[name], token), number) + "\n")


def main() -> int:
    """Start the servers, and the measured process beside them; returns its exit status."""
    number = sys.argv[1] if len(sys.argv) > 1 else "300"
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as stack:
        part = stack.part("where")
        with part.database() as database:
            for statement in SEED.split(";"):
                database.execute(statement.encode())
        with (part.folder / "where.log").open("wb") as log:
            command = [sys.executable, "-m", "tests.performance.where", "--measure", number]
            return subprocess.run(command, env=part.environment(), stderr=log, check=False).returncode


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(int(sys.argv[2]))
    else:
        sys.exit(main())
