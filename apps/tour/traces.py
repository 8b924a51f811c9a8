"""The newest traces, as the waterfall draws them: each span in the lane of its process, and which pattern it shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from apps.core.bus import bus
from apps.core.telemetry.spans import GetTrace, KeptSpan
from apps.tour.waterfall import Span

SYSTEMS = {"postgresql": "PostgreSQL", "redis": "Valkey"}
OTHERS = "other side"
# what a span's name begins with, and the slug of the pattern that it shows; the first that fits counts
PATTERNS = (
    ("publish", "event-bus"),
    ("relay", "event-bus"),
    ("deliver", "event-bus"),
    ("job", "background-tasks"),
    ("batch", "background-tasks"),
    ("attempt", "retry"),
    ("breaker", "circuit-breaker"),
    ("EVALSHA rate", "middleware"),
    ("EVALSHA", "circuit-breaker"),
)
MESSAGES = {"command": "service-layer", "query": "cqrs"}
SERVED, STATEMENT, CALL = "middleware", "repository", "retry"


def trace_of(prefix: str, place: int) -> str:
    """The id of the trace of the registration at `place` in the cohort `prefix`: whoever knows the cohort finds it."""
    return hashlib.sha256(f"{prefix}-{place}".encode()).hexdigest()[:32]


def spans_of(trace_id: str) -> Sequence[Span]:
    """The spans of a trace that are known by now; none for what is no id of a trace."""
    return [drawn(span) for span in bus.ask(GetTrace(trace_id))]


def drawn(span: KeptSpan) -> Span:
    """`span` as the waterfall takes it."""
    began = int(span.start * 1e9)
    facts = ", ".join(f"{name}={value}" for name, value in span.attributes.items())
    return Span(
        name=span.name,
        lane=_lane(span),
        began=began,
        ended=began + int(span.duration_ms * 1e6),
        pattern=_pattern(span),
        failed=span.failed,
        detail=facts,
    )


def _lane(span: KeptSpan) -> str:
    system = SYSTEMS.get(str(span.attributes.get("db.system.name", "")))
    if system is None and span.kind == "client":
        return OTHERS
    # the process is "role@host:pid"
    return system or span.process.partition("@")[0]


def _pattern(span: KeptSpan) -> str:
    named = next((pattern for begins, pattern in PATTERNS if span.name.startswith(begins)), "")
    message = MESSAGES.get(str(span.attributes.get("app.message", "")), "")
    if named or message:
        return message or named
    return SERVED if span.kind == "server" else STATEMENT if "db.system.name" in span.attributes else CALL
