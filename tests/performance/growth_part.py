"""Part 7, only if asked for: how each cost grows with rows, waiting events, requests and web workers."""

from __future__ import annotations

import sys
from typing import Any

from tests.performance import growing
from tests.performance.contender import SEEDED
from tests.performance.contenders import Contender
from tests.performance.events_part import Bus, open_bus
from tests.performance.growth import grown
from tests.performance.options import Options
from tests.performance.report import Section, Value, say
from tests.performance.stack import Part, Stack

ROUNDS, JOBS, CHUNKS = 15, 3, 4
# the memory of a process that has served its first requests moves by less than this for other reasons
STEADY_MIB = 3.0
EXPLAINED = {
    "search, one person's e-mail": "the index has a list of rows for every three letters, which grows with the rows",
    "search, a number and all that begin with it": "a thousandth of all people is found, and sorted: so many more",
    "search, two letters that nobody has": "the trigram index needs three letters, so every row is read",
    growing.METRICS: "what waits is counted, by an index over the waiting alone",
}
# not yet taken by the relay
UNSEQUENCED = """
    INSERT INTO events_outboxevent (type, aggregate, data, request_id)
    SELECT 'user.created', 'user:' || id, jsonb_build_object('user_id', id, 'email', email, 'name', name), md5(id::text)
    FROM users_user ORDER BY id LIMIT %s"""
HOLD_BACK = "UPDATE events_delivery SET due_at = now() + interval '1 day' WHERE due_at IS NOT NULL"
LET_GO = "UPDATE events_delivery SET due_at = now() WHERE due_at IS NOT NULL"
DIRECT_DUE = "SELECT count(*) FROM events_delivery WHERE due_at IS NOT NULL AND NOT waits"
RECEIVERS = {
    "relay": (sys.executable, "manage.py", "relay"),
    "worker": (sys.executable, "-m", "config.background", "worker", "-n", "bench@%h", "-Q", "events", "-c", "2"),
}
KINDS: dict[str, dict[str, Any]] = {
    "a receiver that does nothing": {},
    "database receivers": {"commands": RECEIVERS, "told": UNSEQUENCED, "due": DIRECT_DUE},
}


def run_growth(stack: Stack, options: Options) -> list[Section]:
    """Every kind of growth, a table each."""
    return [
        _rows(stack, options),
        _backlogs(stack, options),
        _memory(stack, options),
    ]


def _rows(stack: Stack, options: Options) -> Section:
    part, before = stack.part("growth"), 0
    # as `make serve` does: without it no page of the admin can be shown
    part.manage("collectstatic", "--noinput", "--verbosity", "0")
    costs: dict[str, dict[int, float]] = {name: {} for name in growing.ASKED}
    for size in options.sizes:
        say(f"growth: {size:,} rows")
        with part.database() as database:
            growing.load(database, before + 1, size)
        before = size
        with _contender("growing", part) as service:
            for name, found in costs.items():
                found[size] = _least_ms(service, name)
    rows = [grown(name, found, EXPLAINED, "ms") for name, found in costs.items()]
    notes = [
        f"ms that pass, the database's work included, the minimum of {ROUNDS} rounds, without network.",
        "Rows: users, as many events, as many deliveries that wait.",
    ]
    return Section("growth", "7. Growth: with the number of rows", rows, notes)


def _contender(name: str, part: Part) -> Contender:
    environment = part.environment(METRICS_TOKEN=growing.METRICS_TOKEN)
    return Contender(name, environment, part.folder / f"{name}.log")


def _least_ms(service: Contender, probe: str) -> float:
    return min(service.elapsed(probe, JOBS) for _ in range(ROUNDS)) / 1000


def _backlogs(stack: Stack, options: Options) -> Section:
    """The relay and a receiver that does nothing, and the real ones that only write to the database."""
    costs: dict[str, dict[int, float]] = {}
    for size in options.backlogs:
        for kind, differing in KINDS.items():
            say(f"growth: {kind}, {size:,} events wait")
            with open_bus(stack, f"{kind[0]}{size}", **differing) as bus:
                # a profile belongs to a user
                bus.database.execute(growing.LOAD[0].encode(), {"first": 1, "last": size})
                relayed, received = _drain(bus, size)
                costs.setdefault(f"relay, {kind}", {})[size] = relayed
                costs.setdefault(kind, {})[size] = received
    rows = [grown(name, found, EXPLAINED, "µs each") for name, found in costs.items()]
    notes = [
        "µs that pass for each event (relay) or delivery (receivers), until nothing is left; one relay, two processes.",
        "Database receivers: those of a registration that wait for no other machine.",
    ]
    return Section("backlogs", "8. Growth: with the events that wait", rows, notes)


def _drain(bus: Bus, size: int) -> tuple[float, float]:
    """µs for each event and for each delivery; relay and worker run already when they find them."""
    bus.start("relay")
    bus.publish(size)
    relayed, _ = bus.measure(lambda: None, bus.is_sequenced)
    deliveries = bus.count(bus.due)
    bus.database.execute(HOLD_BACK)
    bus.start("worker")
    bus.database.execute("VACUUM ANALYZE")
    received, _ = bus.measure(lambda: bus.database.execute(LET_GO), bus.is_done)
    return relayed / size * 1e6, received / deliveries * 1e6


def _memory(stack: Stack, options: Options) -> Section:
    """One process that serves requests, by turns of all kinds."""
    part = stack.part("memory")
    with part.database() as database:
        growing.load(database, 1, SEEDED)
    row: dict[str, Value] = {"requests": options.requests}
    share = max(options.requests // CHUNKS // 3, 1)
    say(f"growth: memory over {options.requests:,} requests")
    with _contender("service", part) as service:
        for turn in range(CHUNKS + 1):
            for kind in ("get", "list", "post"):
                service.cost(kind, share)
            row[f"MiB after {(turn + 1) * share * 3:,}"] = service.rss_mib()
    found = [value for value in row.values() if isinstance(value, float)]
    growth = found[-1] - found[0]
    row["grown by"] = growth
    row["growth"] = "flat" if growth < STEADY_MIB else "not flat: not explained"
    notes = ["Resident memory of a process that serves GET, list and POST in turns, without the socket."]
    return Section("memory", "9. Growth: memory with the number of requests", [row], notes)
