"""People who register while something is broken."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

from apps.tour.client import client, newcomer, register, traced
from apps.tour.experiments import Fact
from apps.tour.traces import trace_of

COHORT = re.compile(r"(tour-[0-9a-f]{6})\.([0-9]{1,3})")


def new_prefix() -> str:
    """What the addresses of a new cohort begin with."""
    return f"tour-{secrets.token_hex(3)}"


def email(prefix: str, place: int) -> str:
    """The address of the person at `place` in a cohort."""
    return f"{prefix}-{place}@example.com"


def cohort(prefix: str, made: int) -> str:
    """The name by which the page follows so many people: see apps/tour/parts.py."""
    return f"{prefix}.{made}"


def members(cohort: str) -> tuple[str, int] | None:
    """The prefix of a cohort's addresses and how many they are; None for what is no cohort's name."""
    found = COHORT.fullmatch(cohort)
    return (found[1], int(found[2])) if found else None


def people(number: int, in_the_middle: Callable[[], object] = lambda: None) -> tuple[str, Fact]:
    """Register `number` people, doing something in the middle; the cohort that they are, and how it went."""
    prefix = new_prefix()
    slowest, made = 0.0, 0
    with client() as http:
        newcomer(http, "client")
        for place in range(number):
            if place == number // 2:
                in_the_middle()
            traced(http, trace_of(prefix, place))
            begun = time.monotonic()
            made += register(http, email(prefix, place), f"Person {place}").status_code == 201
            slowest = max(slowest, time.monotonic() - begun)
    tone = "good" if made == number else "bad"
    return cohort(prefix, made), Fact(
        "registered meanwhile", f"{made} of {number}, the slowest in {slowest * 1000:.0f} ms", tone
    )
