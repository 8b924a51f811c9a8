"""Part 4: how many webhooks a second one sender sends to an endpoint that answers at once."""

from __future__ import annotations

import json
import subprocess
import sys

from config.stack.plan import ROOT
from tests.performance.options import Options
from tests.performance.report import Section, Value, say
from tests.performance.sink import Sink, sink
from tests.performance.stack import MIB, Stack

ENDPOINTS = (20, 1)


def run_webhooks(stack: Stack, options: Options) -> list[Section]:
    """Send to many endpoints, and to one, which gets fewer requests at a time."""
    rows = []
    for endpoints in ENDPOINTS:
        say(f"webhooks: {options.webhooks} to {endpoints} endpoints")
        with sink() as receiver:
            rows.append(_drain(stack, receiver, endpoints, options.webhooks))
    notes = [
        "Claimed, signed, sent over HTTP to a process on loopback, settled; one sender, a Celery worker's own code."
    ]
    return [Section("webhooks", "4. Webhooks", rows, notes)]


def _drain(stack: Stack, receiver: Sink, endpoints: int, count: int) -> dict[str, Value]:
    part = stack.part(f"webhooks{endpoints}")
    command = [sys.executable, "-m", "tests.performance.drain", receiver.url, str(endpoints), str(count)]
    with (part.folder / "drain.log").open("wb") as log:
        done = subprocess.run(
            command, cwd=ROOT, env=part.environment(), stdout=subprocess.PIPE, stderr=log, check=False
        )
    if done.returncode:
        raise RuntimeError(f"the sender failed:\n{(part.folder / 'drain.log').read_text(errors='replace')[-2000:]}")
    taken = json.loads(done.stdout)
    return {
        "endpoints": endpoints,
        "webhooks": count,
        "attempts": taken["attempts"],
        "arrived": len(receiver.arrivals().hooks),
        "webhooks/s": count / taken["seconds"],
        "CPU µs a webhook": taken["cpu"] / count * 1e6,
        "MiB": taken["rss_after"] / MIB,
        "MiB grown": (taken["rss_after"] - taken["rss_before"]) / MIB,
    }
