"""The request that the first page is about: somebody registers, under a trace that the page then draws."""

from __future__ import annotations

import secrets

from django.conf import settings

from apps.tour.client import address, client, code_of, register, traced
from apps.tour.experiments import Fact, Outcome, experiment


@experiment(
    "Register a person",
    pattern="event-bus",
    group="",
    does="One POST /api/v1/users, traced from here to the last receiver.",
    promise="The answer waits for one commit; mail, profile and look-up follow by themselves.",
)
def registration() -> Outcome:
    """201, and the trace."""
    trace_id = secrets.token_hex(16)
    with client() as http:
        traced(http, trace_id)
        answer = register(http, address("ada"))
    request_id = answer.headers["X-Request-ID"]
    took = float(answer.headers["X-Process-Time"]) * 1000
    facts = (
        Fact("answered", f"{answer.status_code} {code_of(answer)}".strip(), "good" if answer.is_success else "bad"),
        Fact("after", f"{took:.1f} ms"),
        Fact("X-Request-ID", request_id),
        Fact("its lines in every process", f"grep {request_id} {settings.TOUR_STATE}/logs/*.log"),
    )
    return Outcome(facts, kept=answer.is_success, trace_id=trace_id)
