"""What traces cost: the same requests without a tracer, and with every one traced and sent to a collector."""

from __future__ import annotations

import time

import psutil

from tests.performance.contenders import Contender, resolution, take_turns
from tests.performance.http_part import OPS, TURN, seeded
from tests.performance.options import Options
from tests.performance.report import Section, Value, say
from tests.performance.stack import Part, Stack
from tests.traces.collector import Collector

# by then a batch of spans has gone
EXPORTED_SECONDS = 0.5
# of the rounds, since each waits until the spans are sent
WHOLE_TURN, WHOLE_SHARE = 100, 0.08
MICROSECONDS = 1e6


def run_traces(stack: Stack, options: Options) -> list[Section]:
    """Every kind of request, in turns, with a tracer and without."""
    part = seeded(stack, "traces")
    rows: list[dict[str, Value]] = []
    with Collector() as collector:
        tracing = collector.environment | {"OTEL_BSP_SCHEDULE_DELAY": "100"}
        with _service(part, "untraced", {}) as plain, _service(part, "traced", tracing) as traced:
            for op, title in OPS.items():
                say(f"traces: {title}")
                row: dict[str, Value] = {"request": title}
                rows.append(row | _compare(plain, traced, op, options.rounds) | _spans(collector, traced, op))
            unit, meter = plain.unit, plain.meter
    notes = [
        f"{unit} ({meter}), the minimum of {options.rounds} interleaved rounds: of the thread that answers.",
        "±: the spread of the minima of four groups of rounds, the larger of both.",
        "Whole process: CPU µs more with the thread that sends the spans,"
        f" the minimum of {_whole_rounds(options.rounds)} rounds.",
        "Traced: every request (parentbased_always_on), sent by OTLP over HTTP to a collector on this machine.",
    ]
    return [Section("traces", "Traces", rows, notes)]


def _service(part: Part, name: str, more: dict[str, str]) -> Contender:
    return Contender("service", part.environment(**more), part.folder / f"{name}.log")


def _compare(plain: Contender, traced: Contender, op: str, rounds: int) -> dict[str, Value]:
    found = take_turns([(plain, op), (traced, op)], TURN[op], rounds)
    without, with_it = found[plain, op], found[traced, op]
    return {
        f"{plain.unit} without": min(without),
        "with": min(with_it),
        "more": min(with_it) - min(without),
        "±": max(resolution(without), resolution(with_it)),
        "whole process": _whole(plain, traced, op, _whole_rounds(rounds)),
    }


def _whole_rounds(rounds: int) -> int:
    return max(round(rounds * WHOLE_SHARE), 2)


def _whole(plain: Contender, traced: Contender, op: str, rounds: int) -> float:
    """What a request costs more in all threads of its process."""
    costs = [[_cpu(contender, op) for contender in (plain, traced)] for _ in range(rounds)]
    least = [min(both) for both in zip(*costs, strict=True)]
    return float(least[1] - least[0])


def _cpu(contender: Contender, op: str) -> float:
    process = psutil.Process(contender.pid)
    before = process.cpu_times()
    contender.cost(op, WHOLE_TURN)
    time.sleep(EXPORTED_SECONDS)
    after = process.cpu_times()
    seconds = float(after.user + after.system - before.user - before.system)
    return seconds / WHOLE_TURN * MICROSECONDS


def _spans(collector: Collector, traced: Contender, op: str) -> dict[str, Value]:
    """How many spans a request has."""
    time.sleep(EXPORTED_SECONDS)
    before = len(collector.spans)
    jobs = 20
    traced.cost(op, jobs)
    time.sleep(2 * EXPORTED_SECONDS)
    return {"spans": round((len(collector.spans) - before) / jobs)}
