"""What can happen to a service: the other side fails, a process stops or dies, the cache is wiped."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from apps.tour import stack
from apps.tour.client import client, newcomer, register
from apps.tour.experiments import Fact, Outcome, experiment

GROUP = "Break it"
PEOPLE, FEW = 20, 6
DIRECTORY_DELAY_SECONDS = 8.0


def people(number: int, in_the_middle: Callable[[], object] = lambda: None) -> tuple[str, Fact]:
    """Register `number` people, doing something in the middle; the cohort that they are, and how it went."""
    prefix = f"tour-{secrets.token_hex(3)}"
    slowest, made = 0.0, 0
    with client() as http:
        newcomer(http, "client")
        for place in range(number):
            if place == number // 2:
                in_the_middle()
            begun = time.monotonic()
            made += register(http, f"{prefix}-{place}@example.com", f"Person {place}").status_code == 201
            slowest = max(slowest, time.monotonic() - begun)
    tone = "good" if made == number else "bad"
    return f"{prefix}.{made}", Fact(
        "registered meanwhile", f"{made} of {number}, the slowest in {slowest * 1000:.0f} ms", tone
    )


def failing(how: dict[str, float]) -> Outcome:
    """Let the directory fail as `how` says while a few people register."""
    stack.tell_directory(how)
    cohort, fact = people(FEW)
    facts = (Fact("the directory", stack.directory_fails(), "bad"), fact)
    return Outcome(facts, cohort=cohort, note="Watch the breaker, then repair it.")


@experiment(
    "People directory down",
    pattern="circuit-breaker",
    group=GROUP,
    repair="directory-repaired",
    does=f"The external API answers 503; {FEW} people register.",
    promise="Nobody waits for it, the breaker opens after five failures, and once it works again all are looked up.",
)
def directory_down() -> Outcome:
    """The directory fails until it is repaired."""
    return failing({"status": 503})


@experiment(
    "People directory slow",
    pattern="retry",
    group=GROUP,
    repair="directory-repaired",
    does=f"The external API takes {DIRECTORY_DELAY_SECONDS:.0f} s to answer; {FEW} people register.",
    promise="A call is cut off at its time limit, tried again with jitter, and then counts for the breaker.",
)
def directory_slow() -> Outcome:
    """The directory is slow until it is repaired."""
    return failing({"delay": DIRECTORY_DELAY_SECONDS})


@experiment(
    "Repair the directory",
    pattern="circuit-breaker",
    group="",
    does="The external API works again.",
    promise="One caller probes (half-open); if that goes well, the breaker closes and what waited is caught up.",
)
def directory_repaired() -> Outcome:
    """It works again."""
    stack.tell_directory({})
    return Outcome(
        (Fact("the directory", "works again", "good"),), note="The next probe comes when the breaker's pause is over."
    )


@experiment(
    "Stop the relay",
    pattern="event-bus",
    group=GROUP,
    repair="relay-goes-on",
    does=f"The process that takes events out of the outbox stands still (SIGSTOP); {PEOPLE} people register.",
    promise="Registering is as fast as before, the events wait as rows, and all are delivered once it goes on.",
)
def relay_stopped() -> Outcome:
    """The relay stands still for a minute at most."""
    stack.pause("relay")
    cohort, fact = people(PEOPLE)
    note = f"Let it go on when you have seen enough; after {stack.LONGEST_PAUSE_SECONDS:.0f} s it does so by itself."
    return Outcome((Fact("the relay", "stands still", "bad"), fact), cohort=cohort, note=note)


@experiment(
    "Let the relay go on",
    pattern="event-bus",
    group="",
    does="The relay runs again (SIGCONT).",
    promise="What waited is delivered, in order.",
)
def relay_goes_on() -> Outcome:
    """It runs again."""
    stack.go_on("relay")
    return Outcome((Fact("the relay", "runs", "good"),))


@experiment(
    "Kill the workers",
    pattern="event-bus",
    group=GROUP,
    does=f"{PEOPLE} people register; half way both workers of events are killed (SIGKILL).",
    promise=(
        "Their work falls due again, and another worker takes it: nothing is lost, no row is written twice. A mail"
        " whose worker died before it was marked may go out again, under the same Message-ID."
    ),
)
def workers_killed() -> Outcome:
    """SIGKILL; the supervisor starts new ones."""
    killed: list[int] = []
    cohort, fact = people(PEOPLE, lambda: killed.extend(stack.kill("worker-events", "worker-io")))
    facts = (Fact("killed", f"processes {', '.join(map(str, killed))}", "bad"), fact)
    return Outcome(
        facts, cohort=cohort, note="What a dead worker held comes back when its lease ends, up to 50 s later."
    )


@experiment(
    "Wipe Valkey",
    pattern="event-bus",
    group=GROUP,
    does=f"{PEOPLE} people register; half way the broker and cache are emptied (FLUSHALL).",
    promise="The broker carried only wake-ups: nothing that was answered 2xx is lost.",
)
def valkey_wiped() -> Outcome:
    """FLUSHALL in the middle."""
    gone: list[int] = []
    cohort, fact = people(PEOPLE, lambda: gone.append(stack.wipe_valkey()))
    return Outcome((Fact("wiped", f"{gone[0]} keys", "bad"), fact), cohort=cohort)
