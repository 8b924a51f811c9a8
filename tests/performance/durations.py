"""How long the bench takes, roughly, so that a person knows before it starts."""

from __future__ import annotations

from collections.abc import Callable

from tests.performance.options import Options

START = 8
# seconds on two cores with nothing else to do
SECONDS: dict[str, Callable[[Options], float]] = {
    "http": lambda asked: 8 + 0.25 * asked.rounds,
    "layers": lambda asked: 8 + 1.5 * asked.rounds,
    "traces": lambda asked: 8 + 0.6 * asked.rounds,
    "events": lambda asked: 20 + (asked.events * 1.1 + asked.backlog) / 2500,
    "webhooks": lambda asked: 8 + asked.webhooks / 300,
    "latency": lambda asked: 20 + asked.seconds,
    "import": lambda asked: 4 + asked.import_rows / 8000,
    "workers": lambda asked: 30 if asked.quick else 60,
    "steady": lambda asked: 20 + asked.minutes * 60,
    "growth": lambda asked: 40 + sum(asked.sizes) / 10_000 + sum(asked.backlogs) / 2000 + asked.requests / 500,
}


def expected(options: Options) -> float:
    """Seconds that the run will take on two quiet cores."""
    return START + sum(SECONDS[name](options) for name in options.only)


def in_words(seconds: float) -> str:
    """As a person would say it."""
    return f"about {round(seconds / 10) * 10} s" if seconds < 100 else f"about {round(seconds / 60)} minutes"
