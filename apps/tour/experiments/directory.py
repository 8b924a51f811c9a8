"""The other side fails: the people directory of `make run` is told to."""

from __future__ import annotations

from typing import Any

import httpx
from django.conf import settings

from apps.tour import stack
from apps.tour.client import ON_LOOPBACK
from apps.tour.crowd import people
from apps.tour.experiments import BREAK_IT, BROKEN, Broken, CannotRun, Fact, Outcome, experiment

FEW, DELAY_SECONDS = 6, 8.0
TIMEOUT_SECONDS, ASKED_SECONDS = 5.0, 0.5


def tell(how: dict[str, Any]) -> None:
    """Make the people directory fail as `how` says (see config/stack/people.py). Raises CannotRun."""
    try:
        _control("PUT", TIMEOUT_SECONDS, json=how)
    except httpx.HTTPError as error:
        raise CannotRun(f"The people directory does not answer: {type(error).__name__}.") from error


def fails() -> str:
    """How the people directory was told to fail, in words; empty if it works, or is not there to be asked."""
    try:
        told = _control("GET", ASKED_SECONDS).json()
    except (CannotRun, httpx.HTTPError):
        return ""
    status, delay = told.get("status"), told.get("delay")
    return f"answers {status}" if status else f"answers after {delay:g} s" if delay else ""


def _control(method: str, seconds: float, **more: Any) -> httpx.Response:
    """Ask the people directory of `make run`; somebody else's is none of ours to tell. Raises CannotRun."""
    stack.pid_of("people")
    url, key = settings.TOUR_DIRECTORY
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.request(method, f"{url}/control", headers=headers, timeout=seconds, **ON_LOOPBACK, **more)
    return answer.raise_for_status()


def failing(how: dict[str, float]) -> Outcome:
    """Let the directory fail as `how` says while a few people register."""
    tell(how)
    cohort, fact = people(FEW)
    facts = (Fact("the directory", fails(), "bad"), fact)
    return Outcome(facts, cohort=cohort, note="Watch the calls and the breaker, then repair it.")


@experiment(
    "People directory down",
    pattern="circuit-breaker",
    group=BREAK_IT,
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
    group=BREAK_IT,
    repair="directory-repaired",
    does=f"The external API takes {DELAY_SECONDS:.0f} s to answer; {FEW} people register.",
    promise="A call is cut off at its time limit, tried again after a wait with jitter, and counts for the breaker.",
)
def directory_slow() -> Outcome:
    """The directory is slow until it is repaired."""
    return failing({"delay": DELAY_SECONDS})


@experiment(
    "Repair the directory",
    pattern="circuit-breaker",
    group="",
    does="The external API works again.",
    promise="One caller probes (half-open); if that goes well, the breaker closes and what waited is caught up.",
)
def directory_repaired() -> Outcome:
    """It works again."""
    tell({})
    return Outcome(
        (Fact("the directory", "works again", "good"),), note="The next probe comes when the breaker's pause is over."
    )


BROKEN["circuit-breaker"] = Broken("people directory", fails, "directory-repaired")
