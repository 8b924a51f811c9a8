"""What only a comparison can show: the naive version of a pattern run beside ours, on services of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from functools import partial
from typing import Any

from django.conf import settings

from apps.core.text import in_words
from apps.tour.experiments import CannotRun, Experiment, Fact, Outcome, add

GROUP = "Run it without the pattern, and with it"
LONGEST_SECONDS = 120
# each starts a PostgreSQL and a Valkey, so there is one at a time
_running = threading.Lock()


def compared(pattern: str) -> Outcome:
    """What `manage.py compare PATTERN` counts. Raises CannotRun if it cannot run, or one runs already."""
    if not _running.acquire(blocking=False):
        raise CannotRun("A comparison is running already: try it again when that has ended.")
    try:
        found = _run(pattern)
    finally:
        _running.release()
    naive, ours = found["naive"], found["ours"]
    facts = [Fact(in_words(name), f"{naive[name]:,} → {ours[name]:,}") for name in ours if name in naive]
    shown = ("Read: without the pattern → with it.", found["note"], "" if found["kept"] else found["verdict"])
    return Outcome(tuple(facts), found["kept"], " ".join(filter(None, shown)))


def _run(pattern: str) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "compare", pattern, "--json"]
    try:
        done = subprocess.run(
            command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise CannotRun(f"It was not done after {LONGEST_SECONDS} s: this machine is busy.") from None
    except ValueError:
        reason = [*done.stderr.strip().splitlines(), f"status {done.returncode}"][0]
        raise CannotRun(f"It could not be compared: {reason}") from None
    return found


# of patterns whose promise the running service cannot show, or not in figures
WANTED = (
    (
        "circuit-breaker",
        "Call what never answers",
        "From four processes at once; then all of them try again at the same moment.",
        "Few calls wait for it, and only one tries it again.",
    ),
    (
        "retry",
        "Come back after an outage",
        "Four hundred callers failed at the same moment.",
        "They do not come back at the same moment, and nobody repeats what cannot succeed.",
    ),
    (
        "dependency-injection",
        "Test a use case alone",
        "Three tests of one function: what must each replace, so that nothing waits or reaches the network?",
        "A test gives the use case another part; no name is patched.",
    ),
    (
        "cqrs",
        "List a hundred log-ins",
        "With whose they are; then a command whose second step fails.",
        "The list is one statement, and a command that fails leaves nothing behind.",
    ),
    (
        "settings",
        "Deploy with seven mistakes",
        "Starts with seven wrong variables, two of which hold a secret, until all are mended.",
        "All are named at the first start, and no value is ever printed.",
    ),
    (
        "structured-logging",
        "Follow one request",
        "Through three processes, by its id.",
        "Its id finds every line of it.",
    ),
)


def add_comparisons() -> None:
    """Make a button of each; the experiments with the running service come before them."""
    for pattern, title, does, promise in WANTED:
        add(Experiment(f"compare-{pattern}", title, pattern, does, promise, partial(compared, pattern), GROUP))
