"""The moving parts: what waits, what failed, how the breaker stands. A part that cannot be read says so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from django.conf import settings
from django.db import DatabaseError

from apps.core.bus import bus
from apps.core.http.middleware.rate_limit import refusals
from apps.core.reads import CAP
from apps.core.resilience.breakers import GetBreakers
from apps.core.resilience.valkey import Unavailable, valkey_at
from apps.events.queries import GetBacklog
from apps.jobs.queries import ListJobs
from apps.tour import stack
from apps.tour.client import client, staff_token
from apps.tour.experiments import EXPERIMENTS, CannotRun, Experiment, Fact

# the prefix of addresses, and how many registrations with it were answered 201
COHORT = re.compile(r"(tour-[0-9a-f]{6})\.([0-9]{1,3})")
LOOKED_BACK_MINUTES, NEWEST_JOBS = 10, 50
TONES = {"closed": "good", "open": "bad", "half_open": "warn"}


@dataclass(frozen=True)
class Part:
    """A group of facts under a title; `pattern` is the slug of what it shows, `repair` the experiment that mends it."""

    title: str
    pattern: str
    facts: tuple[Fact, ...]
    repair: Experiment | None = None


def parts() -> list[Part]:
    """All parts, each read by itself."""
    failing = stack.directory_fails()
    return [
        Part("Event bus", "event-bus", _read(_bus_facts), _if(stack.stands_still("relay"), "relay-goes-on")),
        Part(
            "Circuit breaker",
            "circuit-breaker",
            (Fact("people directory", failing, "bad"), *_read(_breaker_facts)) if failing else _read(_breaker_facts),
            _if(bool(failing), "directory-repaired"),
        ),
        Part("Rate limit", "middleware", _read(_limit_facts)),
        Part("Jobs", "background-tasks", _read(_job_facts)),
    ]


def _if(broken: bool, repair: str) -> Experiment | None:
    return EXPERIMENTS.get(repair) if broken else None


def _read(read: Callable[[], tuple[Fact, ...]]) -> tuple[Fact, ...]:
    try:
        return read()
    except (DatabaseError, Unavailable) as error:
        return (Fact("cannot be read", type(error).__name__, "bad"),)


def _bus_facts() -> tuple[Fact, ...]:
    backlog = bus.ask(GetBacklog(dead=0))
    waiting, again, dead = (backlog.states[state] for state in ("pending", "failed", "dead"))
    still = stack.stands_still("relay")
    return (
        Fact("relay", "stands still" if still else "runs", "bad" if still else "good"),
        Fact("in the outbox", capped(backlog.unsequenced), "warn" if backlog.unsequenced else ""),
        Fact("deliveries on their way", capped(waiting), "warn" if waiting else ""),
        Fact("to be tried again", capped(again), "warn" if again else ""),
        Fact("dead letters", capped(dead), "bad" if dead else "good"),
    )


def _breaker_facts() -> tuple[Fact, ...]:
    states = bus.ask(GetBreakers())
    return tuple(Fact(name, state.replace("_", "-"), TONES.get(state, "")) for name, state in states.items())


def _limit_facts() -> tuple[Fact, ...]:
    minutes = refusals(valkey_at(settings.VALKEY_URL), LOOKED_BACK_MINUTES)
    return (
        Fact("refused this minute", str(minutes[-1]), "warn" if minutes[-1] else ""),
        Fact(f"refused in {LOOKED_BACK_MINUTES} minutes", str(sum(minutes))),
    )


def _job_facts() -> tuple[Fact, ...]:
    jobs = bus.ask(ListJobs(limit=NEWEST_JOBS))
    counts = Counter(job["status"] for job in jobs)
    if not counts:
        return (Fact("so far", "none"),)
    return tuple(Fact(status.lower(), str(count)) for status, count in counts.items())


def followed(cohort: str) -> tuple[Fact, ...]:
    """How far the effects have come for the people whom an experiment registered; empty if there are none.

    Lost is who was answered 201 and is not there, and whose effects are missing although nothing waits any more.
    """
    wanted = COHORT.fullmatch(cohort)
    if not wanted:
        return ()
    prefix, promised = wanted[1], int(wanted[2])
    try:
        # read first: what waited no more at that moment had all its effects before the people are read
        waits = _waiting()
        with client(staff_token()) as http:
            answer = http.get("/api/v2/users", params={"search": prefix, "limit": 100})
            answer.raise_for_status()
            found = answer.json()["results"]
    except (CannotRun, DatabaseError, httpx.HTTPError) as error:
        return (Fact("cannot be counted", str(error), "warn"),)
    done = sum(1 for user in found if user["profile"] and user["profile"]["enriched_at"])
    lost = promised - len(found) + (0 if waits else len(found) - done)
    counted = Fact("lost", str(lost), "bad" if lost else "good")
    if waits and not lost and done < promised:
        counted = Fact("lost", f"none so far, {promised - done} wait", "warn")
    kept = (Fact("the promise", "kept", "good"),) if done == promised and not lost else ()
    return (
        Fact("answered 201", str(promised)),
        Fact("in the database", str(len(found))),
        Fact("profile filled", str(done), "good" if done == promised else "warn"),
        counted,
        *kept,
    )


def _waiting() -> int:
    backlog = bus.ask(GetBacklog(dead=0))
    return backlog.unsequenced + sum(backlog.states.values())


def capped(number: int) -> str:
    """`number` for people, and "more than" for what was not counted further."""
    return f"more than {CAP:,}" if number > CAP else f"{number:,}"
