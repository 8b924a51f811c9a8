"""A job is one trace: from the request that asks for it to the event that tells its end."""

from __future__ import annotations

from apps.core.bus import bus
from apps.users.commands import IssueToken, RegisterUser
from tests import loopback
from tests.processes import Processes
from tests.traces.collector import Collector, tree
from tests.traces.test_carried import SAMPLED, SPAN, TRACE
from tests.traces.trees import comes_to, work_of

JOB = ["job process", ["batch", ["publish job.finished", ["relay"]]]]


def test_through_every_process(processes: Processes) -> None:
    token = bus.execute(IssueToken(bus.execute(RegisterUser("ada@example.com", "Ada")).email))
    with Collector() as collector:
        processes.addresses |= collector.environment
        processes.relay()
        processes.worker("jobs", 1)
        web = processes.web()
        headers = {"Authorization": f"Bearer {token}", "traceparent": SAMPLED}
        asked = loopback.post(f"{web.url}/api/v1/process", json={"rows": [{"a": 1}]}, headers=headers)
        assert asked.status_code == 202
        whole = [["POST /api/v1/process", [["SubmitJob", [JOB]]]]]
        comes_to(lambda: tree(work_of(collector, TRACE), SPAN), whole)
