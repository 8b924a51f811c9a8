"""Where a request's time goes: by round trip, by room (a library, or a package here) and by function.

    python -m tests.performance.where [--requests N] [--json FILE] [--before FILE]

prints Markdown tables for each kind of request; `--json` keeps what was found, and `--before` shows beside it what
such a file says of an earlier commit.

Each kind is looked at in one process against its own PostgreSQL and Valkey. A profiler makes small functions look
dearer than they are, so the shares are given to the CPU time of the same requests without it: the minimum of many
short turns, since whatever else the machine does can only add. The time of a round trip is the minimum, too; it passes.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.performance.http_part import SEED
from tests.performance.meter import CPU_TIME
from tests.performance.probing import Probe, cost, requests
from tests.performance.stack import running

TITLES = {"get": "GET one", "list": "GET, list of 100", "post": "POST", "keyed": "POST with Idempotency-Key"}
ROUNDS, TURN, SHOWN, ROOMS = 30, 10, 8, 12
HERE = str(Path(__file__).resolve().parents[2])
LIBRARY = re.compile(r".*/site-packages/(\w+)")
STANDARD = "the standard library"
Key = tuple[str, int, str]


@dataclass(frozen=True)
class Found:
    """Of one kind: CPU µs a request, and what they are made of; the µs of each round trip, by what is asked."""

    cpu: float
    trips: Sequence[tuple[str, float]]
    rooms: Mapping[str, float]
    functions: Sequence[tuple[str, float, float]]


def room(file: str) -> str:
    """Where a function lives: a library, or two folders down in this repository."""
    if library := LIBRARY.match(file):
        return library[1]
    if file.startswith(HERE):
        return "/".join(file.removeprefix(HERE).lstrip("/").split("/")[:-1][:3])
    return STANDARD


def place(key: Key) -> str:
    """A function's name for people: the file in its library or in this repository, and what it is called."""
    file, _, function = key
    if file == "~":
        return function.strip("<>")
    for way in "site-packages/", "/lib/python":
        file = file.rpartition(way)[2]
    return f"{file.removeprefix(HERE).lstrip('/')}: {function}"


def profiled(probe: Probe, number: int) -> dict[Key, Any]:
    """What the profiler says of `number` requests, by CPU time of this thread: a wait for a server costs it nothing."""
    profile = cProfile.Profile(time.thread_time_ns, 1e-9)
    profile.runcall(probe.prepare(number))
    return dict(pstats.Stats(profile).stats)  # type: ignore[attr-defined] # typeshed leaves it out


def by_room(rows: Mapping[Key, Any], scale: float) -> dict[str, float]:
    """CPU µs a request by room; what is built in counts for those who call it."""
    found = Counter[str]()
    for (file, _, _), (_, _, own, _, callers) in rows.items():
        if file == "~":
            for (caller, _, _), (_, _, part, _) in callers.items():
                found[room(caller) if caller != "~" else STANDARD] += part * scale
        else:
            found[room(file)] += own * scale
    return dict(found.most_common())


@contextmanager
def trips() -> Iterator[list[tuple[str, float]]]:
    """What the block asks of PostgreSQL and Valkey, each with the seconds until its answer; at the drivers."""
    import psycopg
    import redis

    found: list[tuple[str, float]] = []
    to_valkey: Any = redis.connection.AbstractConnection
    execute, command = psycopg.Cursor.execute, psycopg.Connection._exec_command
    send, sent = to_valkey.send_packed_command, [0.0]

    def executed(self: Any, query: Any, *more: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(self, query, *more, **options)
        finally:
            found.append((verbs(str(query)), time.perf_counter() - begun))

    def commanded(self: Any, query: Any, *more: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        answer = yield from command(self, query, *more, **options)
        found.append((verbs(query.decode() if isinstance(query, bytes) else str(query)), time.perf_counter() - begun))
        return answer

    def sending(self: Any, *more: Any, **options: Any) -> Any:
        sent[0] = time.perf_counter()
        return send(self, *more, **options)

    def reader(read: Any) -> Any:
        def reading(self: Any, *more: Any, **options: Any) -> Any:
            answer = read(self, *more, **options)
            found.append(("Valkey: the rate limit", time.perf_counter() - sent[0]))
            return answer

        return reading

    with (
        patch.object(psycopg.Cursor, "execute", executed),
        patch.object(psycopg.Connection, "_exec_command", commanded),
        patch.object(to_valkey, "send_packed_command", sending),
        patch.object(to_valkey, "read_response", reader(to_valkey.read_response)),
    ):
        yield found


def verbs(query: str) -> str:
    """What is asked, without its values: each statement's verb and its first table."""
    said = []
    for statement in re.split(r";\s*(?=[A-Z]{3,})", query):
        verb = statement.split(maxsplit=1)[0] if statement.strip() else "a check of the connection"
        about = re.search(r'\b(?:FROM|INTO|UPDATE)\s+"?([a-z_]+)|\b(pg_\w+)\(', statement)
        said.append(f"{verb} {about[1] or about[2]}" if about else verb)
    return "; ".join(said)


def look(probe: Probe, number: int) -> Found:
    """Look at one kind of request."""
    used = min(cost(probe, TURN, CPU_TIME) for _ in range(ROUNDS))
    runs = []
    for _ in range(number):
        run = probe.prepare(1)
        with trips() as asked:
            run()
        runs.append(asked)
    usual = statistics.mode(tuple(what for what, _ in asked) for asked in runs)
    alike = [asked for asked in runs if tuple(what for what, _ in asked) == usual]
    waits = [min(asked[place][1] for asked in alike) * 1e6 for place in range(len(usual))]
    rows = profiled(probe, number)
    scale = used / sum(row[2] for row in rows.values())
    dearest = sorted(rows.items(), key=lambda item: item[1][2], reverse=True)[:SHOWN]
    functions = [(place(key), row[1] / number, row[2] * scale) for key, row in dearest]
    return Found(used, list(zip(usual, waits, strict=True)), by_room(rows, scale), functions)


def tables(title: str, now: Found, before: Found | None) -> str:
    """What was found, as Markdown, beside what was found before."""
    told = f", {before.cpu:,.0f} before" if before else ""
    lines = [f"### {title}: {now.cpu:,.0f} µs{told}", "", "| round trip | µs |", "| --- | ---: |"]
    if before:
        lines[-2:] = ["| round trip | µs | before | µs |", "| --- | ---: | --- | ---: |"]
    for new, old in zip_longest(now.trips, before.trips if before else ()):
        cells = [new, old] if before else [new]
        lines.append("| " + " | ".join(f"{one[0]} | {one[1]:,.0f}" if one else " | " for one in cells) + " |")
    lines += [
        "",
        "| room | CPU µs |" + (" before |" if before else ""),
        "| --- | ---: |" + (" ---: |" if before else ""),
    ]
    shown = list(now.rooms)[:ROOMS]
    others = sum(now.rooms[name] for name in now.rooms if name not in shown)
    for name, value in [*((name, now.rooms[name]) for name in shown), ("the others", others)]:
        line = f"| {name} | {value:,.0f} |"
        if before:
            old = before.rooms.get(name, 0.0)
            if name == "the others":
                old = sum(one for room, one in before.rooms.items() if room not in shown)
            line += f" {old:,.0f} |"
        lines.append(line)
    lines += ["", "| function | calls | CPU µs |", "| --- | ---: | ---: |"]
    lines += [f"| `{name}` | {calls:.1f} | {own:.0f} |" for name, calls, own in now.functions]
    return "\n".join([*lines, ""])


def measure(number: int, file: Path) -> None:
    """Write what is found; in the process that is measured."""
    from config.wsgi import application
    from tests.performance import contender, layers

    token = layers.log_in()
    kinds = dict(contender.KINDS)
    kinds["keyed"] = replace(kinds["post"], headers=lambda: {"HTTP_IDEMPOTENCY_KEY": uuid.uuid4().hex})
    found = {name: asdict(look(requests(application, kinds[name], token), number)) for name in TITLES}
    file.write_text(json.dumps(found, indent=1))


def main() -> int:
    """Start the servers, and the measured process beside them; returns its exit status."""
    parser = ArgumentParser(prog="python -m tests.performance.where", description=__doc__)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--before", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as stack:
        part = stack.part("where")
        file = (given.json or part.folder / "found.json").resolve()
        with part.database() as database:
            for statement in SEED.split(";"):
                database.execute(statement.encode())
        with (part.folder / "where.log").open("wb") as log:
            command = [sys.executable, "-m", "tests.performance.where", "--measure", str(given.requests), str(file)]
            status = subprocess.run(command, env=part.environment(), stderr=log, check=False).returncode
        if status:
            return status
        now = read(file)
    before = read(given.before) if given.before else {}
    for name, title in TITLES.items():
        sys.stdout.write(tables(title, now[name], before.get(name)) + "\n")
    return 0


def read(file: Path) -> dict[str, Found]:
    """What a run kept, by kind."""
    return {name: Found(**found) for name, found in json.loads(file.read_text()).items()}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main())
