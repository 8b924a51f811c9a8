"""Part 5: how long after a registration what follows from it arrives, with all processes of `make run`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import httpx

from config.stack.supervisor import Supervisor
from tests import loopback
from tests.performance.options import Options
from tests.performance.report import Section, Value, percentile, say
from tests.performance.service import whole_service
from tests.performance.sink import Arrivals, Sink, sink
from tests.performance.stack import Part, Stack

ARRIVED_WITHIN = 120.0
LOOK_SECONDS = 0.5
# at the same rate, and not counted: until then a process loads what it needs for its first mail, or has slept
WARM_SECONDS = 5
BEGUN = """
    SELECT 'evt_' || id, data->>'email', extract(epoch FROM occurred_at)::float8
    FROM events_outboxevent WHERE type = 'user.created' AND data->>'email' LIKE 'latency%'"""


def run_latency(stack: Stack, options: Options) -> list[Section]:
    """Register at an even rate, then wait for what follows."""
    part = stack.part("latency")
    with sink() as receiver, whole_service(part, receiver) as (supervisor, url):
        _prepare(part, url, receiver)
        say(f"latency: {options.rate} registrations a second for {WARM_SECONDS} + {options.seconds} s")
        answered = asyncio.run(_register(url, options.rate, options.seconds))
        begun, arrivals = _wait(part, receiver, supervisor)
    rows = _rows(answered, begun, arrivals)
    notes = [
        "ms from the start of the registration's transaction, by one clock; an answer's from its request.",
        f"{options.rate} registrations a second, counted after {WARM_SECONDS} s of them; web server, relay, four"
        " workers, people directory, and the client share the cores.",
    ]
    return [Section("latency", "5. From the commit to what follows", rows, notes)]


def _prepare(part: Part, url: str, receiver: Sink) -> None:
    """Make a member of staff, and the webhook that they want."""
    headers = {"Authorization": f"Bearer {part.staff_token()}"}
    with loopback.client(base_url=url, headers=headers, timeout=30) as client:
        webhook = {"url": receiver.url, "event_types": ["user.created"]}
        client.post("/api/v1/webhooks", json=webhook).raise_for_status()
        client.get("/api/v1/users?limit=1").raise_for_status()


async def _register(url: str, rate: int, seconds: int) -> list[float]:
    """Register at the rate, whether or not answers come; returns each answer's ms, without those of WARM_SECONDS."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30, limits=limits) as client:
        start, tasks = time.monotonic(), []
        warm = rate * WARM_SECONDS
        for number in range(warm + rate * seconds):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            email = f"{'warm' if number < warm else 'latency'}{number}@example.com"
            tasks.append(asyncio.create_task(_register_one(client, email)))
        return list(await asyncio.gather(*tasks))[warm:]


async def _register_one(client: httpx.AsyncClient, email: str) -> float:
    start = time.monotonic()
    answer = await client.post("/api/v1/users", json={"email": email, "name": "Late"})
    if answer.status_code != 201:
        raise RuntimeError(f"a registration was answered with {answer.status_code}: {answer.text[:300]}")
    return (time.monotonic() - start) * 1000


def _wait(part: Part, receiver: Sink, supervisor: Supervisor) -> tuple[list[tuple[str, str, float]], Arrivals]:
    """The registrations (message id, e-mail, epoch seconds) and what arrived, once all has or the time is up."""
    with part.database() as database:
        begun = [(str(i), str(email), float(at)) for i, email, at in database.execute(BEGUN)]
    seen = Arrivals()

    def complete() -> bool:
        nonlocal seen
        seen = receiver.arrivals()
        time.sleep(LOOK_SECONDS)
        missing = {email for _, email, _ in begun} - seen.mails.keys()
        missing |= {i for i, _, _ in begun} - seen.hooks.keys()  # of webhooks
        return not missing

    if not supervisor.wait_for(complete, ARRIVED_WITHIN):
        say(f"after {ARRIVED_WITHIN:.0f} s not everything had arrived")
    return begun, seen


def _rows(answered: list[float], begun: list[tuple[str, str, float]], arrivals: Arrivals) -> list[dict[str, Value]]:
    mails = [(arrivals.mails[email] - at) * 1000 for _, email, at in begun if email in arrivals.mails]
    webhooks = [(arrivals.hooks[i] - at) * 1000 for i, _, at in begun if i in arrivals.hooks]
    made: Mapping[str, list[float]] = {
        "answer": answered,
        "e-mail": mails,
        "webhook": webhooks,
    }
    return [
        {
            "what": name,
            "expected": len(begun),
            "arrived": len(values),
            "median ms": percentile(values, 50),
            "p99 ms": percentile(values, 99),
            "longest ms": max(values, default=0.0),
        }
        for name, values in made.items()
    ]
