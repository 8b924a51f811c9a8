"""What became of calls to other machines, counted from the spans of the traces in which they were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from apps.core.bus import bus
from apps.core.telemetry.spans import GetTrace, KeptSpan
from apps.tour.experiments import Fact
from apps.tour.traces import trace_of

# of a larger cohort the first ones tell the same
MOST_LOOKED_AT = 10
REFUSED = "CircuitOpen"
CUT_OFF = ("Timeout", "DeadlineExceeded")


def call_facts(prefix: str, promised: int) -> tuple[Fact, ...]:
    """How often the other side was called for the people of a cohort; empty if no call went wrong."""
    traces = [bus.ask(GetTrace(trace_of(prefix, place))) for place in range(min(promised, MOST_LOOKED_AT))]
    return counted(traces)


def counted(traces: Iterable[Sequence[KeptSpan]]) -> tuple[Fact, ...]:
    """The attempts in `traces`, what was waited between them, and what the time limit cut off."""
    spans = [sorted(trace, key=lambda span: span.start) for trace in traces]
    attempts = [span for trace in spans for span in trace if _number(span)]
    refused = sum(1 for span in attempts if span.attributes.get("error.type") == REFUSED)
    waits = [wait for trace in spans for wait in _waits([span for span in trace if _number(span)])]
    cut = [span.duration_ms / 1000 for trace in spans for span in trace if _is_cut_off(span)]
    if not (waits or refused or cut):
        return ()
    return (
        Fact("calls made", str(len(attempts) - refused)),
        Fact("of them cut off", f"{len(cut)}, after {max(cut):.1f} s each" if cut else "0", "warn" if cut else ""),
        Fact("waited before trying again", _waited(waits) if waits else "not yet"),
        Fact("refused by the open breaker", f"{refused} at once" if refused else "0", "good" if refused else ""),
    )


def _number(span: KeptSpan) -> int:
    """Which attempt of a call it is, from 1; 0 for any other span."""
    return int(span.attributes.get("app.attempt", 0)) if span.name == "attempt" else 0


def _waits(attempts: Sequence[KeptSpan]) -> list[float]:
    """Seconds from the end of an attempt to the next one of the same call."""
    return [
        later.start - earlier.start - earlier.duration_ms / 1000
        for earlier, later in pairwise(attempts)
        if _number(later) == _number(earlier) + 1
    ]


def _waited(waits: Sequence[float]) -> str:
    return f"{len(waits)} times, {min(waits):.1f} to {max(waits):.1f} s, {sum(waits):.1f} s in all"


def _is_cut_off(span: KeptSpan) -> bool:
    return span.kind == "client" and str(span.attributes.get("error.type", "")).endswith(CUT_OFF)
