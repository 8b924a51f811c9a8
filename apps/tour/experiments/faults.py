"""What can happen to a service: a process stops or dies, the cache is wiped."""

from __future__ import annotations

from apps.tour import stack
from apps.tour.crowd import people
from apps.tour.experiments import BREAK_IT, Fact, Outcome, experiment

PEOPLE = 20


@experiment(
    "Stop the relay",
    pattern="event-bus",
    group=BREAK_IT,
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
    group=BREAK_IT,
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
    group=BREAK_IT,
    does=f"{PEOPLE} people register; half way the broker and cache are emptied (FLUSHALL).",
    promise="The broker carried only wake-ups: nothing that was answered 2xx is lost.",
)
def valkey_wiped() -> Outcome:
    """FLUSHALL in the middle."""
    gone: list[int] = []
    cohort, fact = people(PEOPLE, lambda: gone.append(stack.wipe_valkey()))
    return Outcome((Fact("wiped", f"{gone[0]} keys", "bad"), fact), cohort=cohort)
