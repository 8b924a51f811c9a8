"""Part 3: how fast the event bus is by itself, with a real relay and a real Celery worker, and what a backlog costs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from config.stack.child import Child
from config.stack.supervisor import Supervisor
from tests.performance.options import Options
from tests.performance.report import Section, Value, say
from tests.performance.stack import Part, Stack, cpu_seconds, rss_mib

PROCESSES = 2
START_WITHIN, DONE_WITHIN = 60.0, 1200.0
# the share of --events that are all about one aggregate
IN_ONE_LINE = 10
PUBLISH = """
    INSERT INTO events_outboxevent (type, aggregate, data, request_id)
    SELECT 'bench.nothing', 'bench:' || {about},
        jsonb_build_object('user_id', i, 'email', 'user' || i || '@example.com', 'name', 'User Number ' || i),
        md5(i::text)
    FROM generate_series(1, %s) i"""
LEFT = "SELECT count(*) FROM events_outboxevent WHERE position IS NULL"
DUE = "SELECT count(*) FROM events_delivery WHERE due_at IS NOT NULL"
FORGET = "TRUNCATE events_outboxevent, events_delivery"
RELAY = (sys.executable, "-m", "tests.performance.noop")
CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "tests.performance.noop", "worker", "-Q", "events")
WORKER = (*CELERY, "-c", str(PROCESSES), "-n", "bench@%h", "--without-gossip", "--without-mingle")
Commands = Mapping[str, tuple[str, ...]]
NOTHING: Commands = {"relay": RELAY, "worker": WORKER}
SAID = {"relay": "relay_started", "worker": "ready."}


@dataclass
class Used:
    """What a process took while it worked: CPU seconds, MiB resident before and after."""

    cpu: float = 0
    rss_before: float = 0
    rss_after: float = 0


@dataclass
class Bus:
    """A relay and a worker that can be started, on the part's own database.

    `told` is the SQL that commits events, `due` the one that counts the deliveries that are left.
    """

    part: Part
    supervisor: Supervisor
    database: psycopg.Connection[Any]
    commands: Commands = field(default_factory=lambda: NOTHING)
    told: str = PUBLISH
    due: str = DUE
    started: list[str] = field(default_factory=list)

    def start(self, name: str) -> None:
        """Start `relay` or `worker`; returns when it runs."""
        command, said = self.commands[name], SAID[name]
        environment = self.part.environment(PYTHONUNBUFFERED="1", REMAP_SIGTERM="SIGQUIT")
        self.supervisor.start(Child(name=name, command=command, environment=environment))
        self.started.append(name)
        log = self.supervisor.log(name)
        if not self.supervisor.wait_for(lambda: said in log.read_text(errors="replace"), START_WITHIN):
            raise RuntimeError(f"{name} did not start:\n{log.read_text(errors='replace')[-2000:]}")

    def publish(self, count: int, about: str = "i") -> None:
        """Commit `count` events at once; `about` is what tells their aggregates apart, in SQL."""
        self.database.execute(self.told.replace("{about}", about).encode(), [count])

    def is_done(self) -> bool:
        """Whether everything is delivered."""
        return self.is_sequenced() and not self._any(self.due)

    def is_sequenced(self) -> bool:
        """Whether every event has its deliveries."""
        return not self._any(LEFT)

    def measure(self, work: Callable[[], object], until: Callable[[], bool]) -> tuple[float, dict[str, Used]]:
        """Seconds from before `work` `until` something is true, and what each started process took for it."""
        pids = self.supervisor.pids()
        used = {name: Used(cpu_seconds(pids[name]), rss_mib(pids[name])) for name in self.started}
        start = time.monotonic()
        work()
        if not self.supervisor.wait_for(until, DONE_WITHIN):
            raise RuntimeError(f"not done after {DONE_WITHIN:.0f} s")
        seconds = time.monotonic() - start
        for name, taken in used.items():
            taken.cpu, taken.rss_after = cpu_seconds(pids[name]) - taken.cpu, rss_mib(pids[name])
        return seconds, used

    def count(self, question: str) -> int:
        """The answer to LEFT or DUE."""
        row = self.database.execute(question.encode()).fetchone()
        return int(row[0]) if row else 0

    def _any(self, question: str) -> bool:
        return self.count(question.replace("count(*)", "count(*) FROM (SELECT 1") + " LIMIT 1) one") > 0


def run_events(stack: Stack, options: Options) -> list[Section]:
    """Measure events as they come, events of one aggregate, and a backlog."""
    rows: list[dict[str, Value]] = []
    with open_bus(stack, "events") as bus:
        bus.start("relay")
        bus.start("worker")
        say(f"events: {options.events} as they come")
        rows.append(_measured(bus, "relay and worker, as they come", options.events))
        few = max(options.events // IN_ONE_LINE, 1)
        say(f"events: {few} about one thing, in order")
        bus.database.execute(FORGET.encode())
        rows.append(_measured(bus, "… all about one thing, in order", few, "0"))
    with open_bus(stack, "backlog") as bus:
        rows += _backlog(bus, options.backlog)
    notes = [
        f"Real processes: one relay, one Celery worker with {PROCESSES} processes; one receiver, which does nothing.",
        "PostgreSQL without fsync. CPU µs: of the process per event. MiB: resident, the worker's children included.",
    ]
    return [Section("events", "3. The event bus", rows, notes)]


@contextmanager
def open_bus(stack: Stack, name: str, **differing: Any) -> Iterator[Bus]:
    """A bus on a database of its own, nothing of it started."""
    part = stack.part(name)
    with part.database() as database, Supervisor(part.folder / "logs") as supervisor:
        yield Bus(part, supervisor, database, **differing)


def _measured(bus: Bus, title: str, count: int, about: str = "i") -> dict[str, Value]:
    seconds, used = bus.measure(lambda: bus.publish(count, about), bus.is_done)
    return _row(title, count, seconds, used)


def _backlog(bus: Bus, count: int) -> list[dict[str, Value]]:
    """The relay alone on a backlog, then the worker alone on what the relay left."""
    bus.publish(count)
    rows = []
    for name, until, left in (("relay", bus.is_sequenced, LEFT), ("worker", bus.is_done, bus.due)):
        say(f"events: {name} on a backlog of {count}")
        bus.start(name)
        # it has begun already, so what counts is what is left now
        remaining = bus.count(left)
        seconds, used = bus.measure(lambda: None, until)
        rows.append(_row(f"{name} on a backlog", remaining, seconds, {name: used[name]}))
    return rows


def _row(title: str, count: int, seconds: float, used: dict[str, Used]) -> dict[str, Value]:
    row: dict[str, Value] = {"what": title, "events": count, "s": seconds, "events/s": count / seconds}
    for name in ("relay", "worker"):
        taken = used.get(name)
        row[f"{name} CPU µs"] = taken.cpu / max(count, 1) * 1e6 if taken else None
        row[f"{name} MiB"] = taken.rss_after if taken else None
        row[f"{name} MiB grown"] = taken.rss_after - taken.rss_before if taken else None
    return row
