"""A trace shows where the time of a database that keeps silent went."""

from __future__ import annotations

from tests import loopback
from tests.conftest import ask
from tests.core.test_silent_database import frozen
from tests.processes import Processes
from tests.traces.collector import Collector, statement
from tests.traces.test_carried import SPAN, TRACE
from tests.waiting import wait_for

TIMEOUT = 2
OTHERS = "datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"


def test_the_statement_that_was_waited_for_is_the_long_span(processes: Processes) -> None:
    with Collector() as collector:
        processes.addresses |= collector.environment | {"DATABASE_TIMEOUT": str(TIMEOUT)}
        users = f"{processes.web().url}/api/v1/users"
        before = loopback.post(users, json={"email": "before@example.com", "name": "Before"})
        assert before.status_code == 201
        backends = ask(f"SELECT array_agg(pid) FROM pg_stat_activity WHERE {OTHERS}")
        with frozen(*backends):
            answer = loopback.post(
                users,
                json={"email": "ada@example.com", "name": "Ada"},
                headers={"traceparent": f"00-{TRACE}-{SPAN}-01"},
                timeout=60,
            )
        assert answer.status_code == 503
        wait_for(lambda: [span for span in collector.of(TRACE) if span.parent_id == SPAN], "the request's span")
        spans = collector.of(TRACE)
    waited = [span for span in spans if statement(span) and span.end - span.start >= TIMEOUT * 1e9]
    assert [(span.failed, span.attributes["error.type"]) for span in waited] == [(True, "OperationalError")]
