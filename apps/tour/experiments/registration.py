"""The request that the first page is about: somebody registers, under a trace that the page then draws."""

from __future__ import annotations

from django.conf import settings

from apps.tour.client import client, code_of, register, traced
from apps.tour.crowd import cohort, email, new_prefix
from apps.tour.experiments import Fact, Outcome, experiment
from apps.tour.traces import trace_of


@experiment(
    "Register a person",
    pattern="event-bus",
    group="",
    does="One POST /api/v1/users, traced from here to the last receiver.",
    promise="The answer waits for one commit; mail, profile and look-up follow by themselves.",
)
def registration() -> Outcome:
    """201, and the trace."""
    prefix = new_prefix()
    trace_id = trace_of(prefix, 0)
    with client() as http:
        traced(http, trace_id)
        answer = register(http, email(prefix, 0))
    request_id = answer.headers["X-Request-ID"]
    took = float(answer.headers["X-Process-Time"]) * 1000
    facts = (
        Fact("answered", f"{answer.status_code} {code_of(answer)}".strip(), "good" if answer.is_success else "bad"),
        Fact("after", f"{took:.1f} ms"),
        Fact("X-Request-ID", request_id),
        Fact("its lines in every process", f"grep {request_id} {settings.TOUR_STATE}/logs/*.log"),
    )
    if not answer.is_success:
        return Outcome(facts, kept=False)
    return Outcome(facts, cohort=cohort(prefix, 1), trace_id=trace_id)
