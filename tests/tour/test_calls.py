"""What became of the calls to the other side, as the tour counts it from spans."""

from __future__ import annotations

from typing import Any

from apps.core.telemetry.spans import KeptSpan
from apps.tour.calls import counted


def span(name: str, start: float, seconds: float, kind: str = "internal", **attributes: Any) -> KeptSpan:
    facts = {key.replace("_", "."): value for key, value in attributes.items()}
    return KeptSpan("0" * 32, "1" * 16, "", name, kind, "worker io@here:1", start, seconds * 1000, attributes=facts)


def called(start: float, attempt: int) -> list[KeptSpan]:
    """An attempt that its time limit of five seconds ended."""
    return [
        span("attempt", start, 5.0, app_attempt=attempt, error_type="TransientError"),
        span("GET /people", start, 5.0, "client", error_type="ReadTimeout"),
    ]


def refused(start: float, attempt: int) -> KeptSpan:
    return span("attempt", start, 0.001, app_attempt=attempt, error_type="CircuitOpen")


def test_attempts_waits_and_what_was_cut_off() -> None:
    one = [*called(0.0, 1), *called(5.7, 2), refused(12.0, 3), span("deliver x", 0, 12.1, "consumer", app_attempt=1)]
    # the next delivery begins anew: what lies between two calls is no wait
    other = [*called(0.0, 1), refused(60.0, 1)]
    facts = {fact.label: fact.value for fact in counted([one, other])}
    assert facts == {
        "calls made": "3",
        "of them cut off": "3, after 5.0 s each",
        "waited before trying again": "2 times, 0.7 to 1.3 s, 2.0 s in all",
        "refused by the open breaker": "2 at once",
    }


def test_calls_that_went_well_are_no_news() -> None:
    assert counted([[span("attempt", 0, 0.01, app_attempt=1), span("GET /people", 0, 0.01, "client")], []]) == ()
