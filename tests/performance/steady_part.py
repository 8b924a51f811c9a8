"""Part 9: the memory of every process of `make run`, at a steady rate for half an hour."""

from __future__ import annotations

import time

from tests import loopback
from tests.performance.options import Options
from tests.performance.report import Section, Value, say
from tests.performance.service import whole_service
from tests.performance.sink import sink
from tests.performance.stack import Stack, rss_mib, tree

TURNS_A_SECOND = 10
LOOKS = 6
# what the memory of a process that has begun to work moves by for other reasons
STEADY_MIB = 3.0


def run_steady(stack: Stack, options: Options) -> list[Section]:
    """Register, read one and list, at an even rate; look at the memory from time to time."""
    part = stack.part("steady")
    say(f"steady: {TURNS_A_SECOND} registrations, reads and lists a second for {options.minutes} minutes")
    with (
        sink() as receiver,
        whole_service(part, receiver) as (supervisor, url),
        loopback.client(base_url=url, headers={"Authorization": f"Bearer {part.staff_token()}"}, timeout=30) as client,
    ):
        webhook = {"url": receiver.url, "event_types": ["user.created"]}
        client.post("/api/v1/webhooks", json=webhook).raise_for_status()
        watched = supervisor.pids()
        rows: dict[str, dict[str, Value]] = {name: {"what": name} for name in watched}
        begun, turns = time.monotonic(), options.minutes * 60 * TURNS_A_SECOND
        for number in range(turns):
            time.sleep(max(0.0, begun + number / TURNS_A_SECOND - time.monotonic()))
            person = {"email": f"steady{number}@example.com", "name": "Steady"}
            made = client.post("/api/v1/users", json=person).raise_for_status()
            client.get(f"/api/v1/users/{made.json()['id']}").raise_for_status()
            client.get("/api/v1/users?limit=20").raise_for_status()
            supervisor.tick()
            if (number + 1) % (turns // LOOKS) == 0:
                minutes = (number + 1) / TURNS_A_SECOND / 60
                for name, row in rows.items():
                    row[f"MiB after {minutes:.3g} min"] = rss_mib(watched[name])
        if supervisor.pids() != watched:
            raise RuntimeError("a process was started anew meanwhile")
        arrived = len(receiver.arrivals().mails)
        table = [row | _growth(row, len(tree(watched[name]))) for name, row in rows.items()]
    notes = [
        f"{TURNS_A_SECOND} registrations, reads of one and lists of 20 a second; {arrived:,} e-mails arrived"
        f" for {turns:,} registrations.",
        "MiB: resident, of a process and its children; pages that they share count for each.",
        f"Flat: less than {STEADY_MIB:g} MiB a process, from the first look to the last.",
    ]
    return [Section("steady", "9. Growth: with the time, at a steady rate", table, notes)]


def _growth(row: dict[str, Value], processes: int) -> dict[str, Value]:
    found = [value for value in row.values() if isinstance(value, float)]
    grown = found[-1] - found[0]
    flat = grown < STEADY_MIB * processes
    return {"processes": processes, "grown by": grown, "growth": "flat" if flat else "not flat: not explained"}
