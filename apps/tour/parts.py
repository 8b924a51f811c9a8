"""The moving parts: what waits, what failed, how the breaker stands. A part that cannot be read says so."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.db import DatabaseError

from apps.core.backoffice.overview import said
from apps.core.bus import bus
from apps.core.errors import DomainError
from apps.core.http.middleware.rate_limit import refusals
from apps.core.resilience.breakers import GetBreakers, GetPauses
from apps.core.resilience.valkey import Unavailable, valkey_at
from apps.events.queries import GetBacklog
from apps.tour import stack
from apps.tour.calls import call_facts
from apps.tour.crowd import members
from apps.tour.experiments import BROKEN, EXPERIMENTS, Experiment, Fact
from apps.tour.jobs import job_facts
from apps.users.commands import IssueToken
from apps.users.queries import ListUsers, ReadToken

# the prefix of addresses, and how many registrations with it were answered 201
LOOKED_BACK_MINUTES, MOST = 10, 100
DEMO_STAFF = "admin@example.com"
TONES = {"closed": "good", "open": "bad", "half_open": "warn"}
# what becomes of a registration, and the field of a user that is set then
EFFECTS: dict[str, str] = {
    "profile filled": "profile_enriched_at",
}


@dataclass(frozen=True)
class Part:
    """A group of facts under a title; `pattern` is the slug of what it shows, `repair` the experiment that mends it."""

    title: str
    pattern: str
    facts: tuple[Fact, ...]
    repair: Experiment | None = None


@dataclass(frozen=True)
class Followed:
    """What became of a cohort, and whether the promise has been kept by now."""

    facts: tuple[Fact, ...]
    kept: bool | None = None


def parts() -> list[Part]:
    """All parts, each read by itself."""
    still = stack.stands_still("relay")
    relay = Fact("relay", "stands still" if still else "runs", "bad" if still else "good")
    outside, repair = _outside("circuit-breaker")
    return [
        Part("Event bus", "event-bus", (relay, *_read(_bus_facts)), _if(still, "relay-goes-on")),
        Part("Circuit breaker", "circuit-breaker", (*outside, *_read(_breaker_facts)), repair),
        Part("Rate limit", "middleware", _read(_limit_facts)),
        Part("Jobs", "background-tasks", _read(job_facts)),
    ]


def _if(broken: bool, repair: str) -> Experiment | None:
    return EXPERIMENTS.get(repair) if broken else None


def _outside(pattern: str) -> tuple[tuple[Fact, ...], Experiment | None]:
    broken = BROKEN.get(pattern)
    if broken is None or not (how := broken.how()):
        return (), None
    return (Fact(broken.label, how, "bad"),), EXPERIMENTS.get(broken.repair)


def _read(read: Callable[[], tuple[Fact, ...]]) -> tuple[Fact, ...]:
    try:
        return read()
    except (DatabaseError, Unavailable) as error:
        return (Fact("cannot be read", type(error).__name__, "bad"),)


def _bus_facts() -> tuple[Fact, ...]:
    backlog = bus.ask(GetBacklog(dead=0))
    waiting, again, dead = (backlog.states[state] for state in ("pending", "failed", "dead"))
    return (
        Fact("waiting in the outbox", said(backlog.unsequenced), "warn" if backlog.unsequenced else ""),
        Fact("deliveries pending", said(waiting), "warn" if waiting else ""),
        Fact("failed, to be tried again", said(again), "warn" if again else ""),
        Fact("dead letters", said(dead), "bad" if dead else "good"),
    )


def _breaker_facts() -> tuple[Fact, ...]:
    # its pause is read first: if it ends meanwhile, the state says so
    pauses, states = bus.ask(GetPauses()), bus.ask(GetBreakers())
    return tuple(fact for name, state in states.items() for fact in _breaker(name, state, pauses[name]))


def _breaker(name: str, state: str, pause: float) -> tuple[Fact, Fact]:
    """Always two, so that nothing below moves when it opens or closes."""
    shown = Fact(name, state.replace("_", "-"), TONES.get(state, ""))
    if state == "closed":
        return shown, Fact("half-open", "no need")
    if state == "half_open":
        return shown, Fact("half-open", "probing now")
    seconds = math.ceil(pause)
    return shown, Fact("half-open", f"in {seconds} s" if seconds else "next call", "warn", seconds)


def _limit_facts() -> tuple[Fact, ...]:
    minutes = refusals(valkey_at(settings.VALKEY_URL, settings.VALKEY_PREFIX), LOOKED_BACK_MINUTES)
    return (
        Fact("refused this minute", str(minutes[-1]), "warn" if minutes[-1] else ""),
        Fact(f"refused in {LOOKED_BACK_MINUTES} minutes", str(sum(minutes))),
    )


def calls(cohort: str) -> tuple[Fact, ...]:
    """What became of the calls to other machines for these people; empty if nothing went wrong with them."""
    wanted = members(cohort)
    return call_facts(*wanted) if wanted else ()


def followed(cohort: str) -> Followed | None:
    """How far the effects have come for the people whom an experiment registered; None if there are none.

    Lost is who was answered 201 and is not there, and whose effects are missing although nothing waits any more.
    """
    wanted = members(cohort)
    if not wanted:
        return None
    prefix, promised = wanted
    try:
        # read first: what waited no more at that moment had all its effects before the people are read
        waits = _waiting()
        asked = ListUsers(("id", *EFFECTS.values()), bus.ask(ReadToken(staff_token())), MOST, None, prefix)
        found = bus.ask(asked)
    except (DomainError, DatabaseError) as error:
        # perhaps somebody has ended its session
        _issued.cache_clear()
        return Followed((Fact("cannot be counted", str(error), "warn"),))
    reached = {label: sum(1 for user in found if user[field]) for label, field in EFFECTS.items()}
    done = min([len(found), *reached.values()])
    lost = promised - len(found) + (0 if waits else len(found) - done)
    counted = Fact("lost", str(lost), "bad" if lost else "good")
    if waits and not lost and done < promised:
        counted = Fact("lost", f"none so far, {promised - done} wait", "warn")
    return Followed(
        (
            Fact("answered 201", str(promised)),
            Fact("in the database", str(len(found))),
            *(Fact(label, str(count), "good" if count == promised else "warn") for label, count in reached.items()),
            counted,
        ),
        kept=True if done == promised and not lost and not waits else None,
    )


def _waiting() -> int:
    backlog = bus.ask(GetBacklog(dead=0))
    return backlog.unsequenced + sum(backlog.states.values())


def staff_token() -> str:
    """An access token of the demo staff user, whom `make run` makes. Raises NotFound without one."""
    return _issued(int(time.monotonic() / (settings.ACCESS_TOKEN_EXPIRE_MINUTES * 30)))


@lru_cache(maxsize=1)
def _issued(turn: int) -> str:
    # a session each, so one for half of a token's life and not for each look at the page
    return bus.execute(IssueToken(DEMO_STAFF))
