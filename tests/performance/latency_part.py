"""Part 5: how long after a registration what follows from it arrives, with all processes of `make run`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import httpx

from config.server.ports import free_port
from config.server.serve import listen
from config.stack.plan import Plan, background, relay, web
from config.stack.stand_ins import stand_ins
from config.stack.supervisor import Supervisor
from tests import loopback
from tests.performance.options import Options
from tests.performance.report import Section, Value, percentile, say
from tests.performance.sink import Arrivals, Sink, sink
from tests.performance.stack import Part, Stack

STAFF = "staff@example.com"
READY_WITHIN, ARRIVED_WITHIN = 90.0, 120.0
LOOK_SECONDS = 0.5
BEGUN = """
    SELECT 'evt_' || id, data->>'email', extract(epoch FROM occurred_at)::float8
    FROM events_outboxevent WHERE type = 'user.created' AND data->>'email' LIKE 'latency%'"""


def run_latency(stack: Stack, options: Options) -> list[Section]:
    """Register at an even rate, then wait for what follows."""
    folder = stack.folder / "latency"
    part, plan = stack.part("latency"), Plan("127.0.0.1", free_port(), folder, folder / "metrics")
    with sink() as receiver, _service(part, plan, receiver) as supervisor:
        _warm_up(part, plan, receiver)
        say(f"latency: {options.rate} registrations a second for {options.seconds} s")
        answered = asyncio.run(_register(plan.url, options.rate, options.seconds))
        begun, arrivals = _wait(part, receiver, supervisor)
    rows = _rows(answered, begun, arrivals)
    notes = [
        "ms from the start of the registration's transaction, by one clock; an answer's from its request.",
        f"{options.rate} registrations a second; web server, relay, four workers, people directory, and the client"
        " share the cores.",
    ]
    return [Section("latency", "5. From the commit to what follows", rows, notes)]


@contextmanager
def _service(part: Part, plan: Plan, receiver: Sink) -> Iterator[Supervisor]:
    """Everything that `make run` starts on top of database and cache."""
    # `make run` keeps every trace for its tour, which no deployment would
    own = part.environment(EMAIL_URL=receiver.smtp_url, OTEL_TRACES_EXPORTER="none")
    played = [*stand_ins(own)]
    lead = {name: value for one in played for name, value in one.settings.items()}
    environment = plan.environment(own | lead, coloured=False)
    with listen(plan.host, plan.port) as listener, Supervisor(part.folder / "logs") as supervisor:
        for child in (
            *(one.child for one in played),
            web(environment, listener.fileno()),
            relay(environment),
            *background(environment, part.folder),
        ):
            supervisor.start(replace(child, shown=False))
        if not supervisor.wait_for(lambda: _is_ready(plan.url), READY_WITHIN):
            raise RuntimeError(f"the service was not ready in time:\n{supervisor.log('web').read_text()[-2000:]}")
        yield supervisor


def _is_ready(url: str) -> bool:
    try:
        return loopback.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _warm_up(part: Part, plan: Plan, receiver: Sink) -> None:
    """Let every process do its work once."""
    part.manage("create_user", STAFF, "--name", "Staff", "--staff")
    headers = {"Authorization": f"Bearer {part.manage('issue_token', STAFF).split()[-1]}"}
    with loopback.client(base_url=plan.url, headers=headers, timeout=30) as client:
        webhook = {"url": receiver.url, "event_types": ["user.created"]}
        client.post("/api/v1/webhooks", json=webhook).raise_for_status()
        for number in range(20):
            client.post("/api/v1/users", json={"email": f"warm{number}@example.com", "name": "Warm"})
    time.sleep(3)


async def _register(url: str, rate: int, seconds: int) -> list[float]:
    """Register at the rate, whether or not answers come; returns each answer's ms."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30, limits=limits) as client:
        start, tasks = time.monotonic(), []
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(_register_one(client, number)))
        return list(await asyncio.gather(*tasks))


async def _register_one(client: httpx.AsyncClient, number: int) -> float:
    start = time.monotonic()
    answer = await client.post("/api/v1/users", json={"email": f"latency{number}@example.com", "name": "Late"})
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
