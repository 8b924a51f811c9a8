"""What a client can try with a job."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

from apps.tour.client import client, code_of, done, newcomer
from apps.tour.experiments import Fact, Outcome, experiment
from apps.tour.experiments.requests import GROUP

ROWS, LOOKS, LOOK_SECONDS = 60_000, 30, 0.1


@experiment(
    "A job cancelled half way",
    pattern="background-tasks",
    group=GROUP,
    does=f"Sends a table of {ROWS:,} rows for its statistics, and cancels the job as soon as it runs.",
    promise="It stops, its work so far is dropped, and its owner sees that.",
)
def job_cancelled() -> Outcome:
    """202, progress, 202, REVOKED."""
    rows = [{"number": number, "group": number % 7} for number in range(ROWS)]
    with client() as http:
        newcomer(http, "patient")
        accepted = done(http.post("/api/v1/process", json={"rows": rows}))
        path = accepted.headers["Location"]
        seen = watched(http, path)
        cancelled = http.delete(path)
        after = http.get(path).json()
    facts = (
        Fact("accepted", str(accepted.status_code)),
        Fact("seen running", f"{seen['status']}, {seen['progress']['done']:,} of {ROWS:,} rows"),
        Fact("cancelled", f"{cancelled.status_code} {code_of(cancelled)}".strip()),
        Fact("its status now", after["status"], "good" if after["status"] == "REVOKED" else "warn"),
        Fact("its result", json.dumps(after["result"])),
    )
    if seen["status"] == "PENDING":
        return Outcome(facts, undecided="no worker has begun it: let the relay go on, and try again.")
    if after["status"] == "REVOKED" and after["result"] is None:
        return Outcome(facts, kept=True)
    return Outcome(facts, undecided="the job was quicker than the tour, and had ended already. Try it again.")


def watched(http: httpx.Client, path: str) -> dict[str, Any]:
    """The task at `path` once it runs, or as it is after a few seconds."""
    for _ in range(LOOKS):
        task: dict[str, Any] = http.get(path).json()
        if task["status"] != "PENDING":
            break
        time.sleep(LOOK_SECONDS)
    return task
