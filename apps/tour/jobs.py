"""How the newest jobs stand."""

from __future__ import annotations

from collections import Counter

from apps.core.bus import bus
from apps.jobs.queries import ListJobs
from apps.tour.experiments import Fact

NEWEST = 50


def job_facts() -> tuple[Fact, ...]:
    """How many of the newest jobs have each status."""
    counts = Counter(job["status"] for job in bus.ask(ListJobs(limit=NEWEST)))
    if not counts:
        return (Fact("so far", "none"),)
    return tuple(Fact(status.lower(), str(count)) for status, count in counts.items())
