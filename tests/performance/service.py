"""Everything that `make run` starts on top of database and cache, for the parts that measure all of it together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx

from config.server.ports import free_port
from config.server.serve import listen
from config.stack.plan import Plan, background, relay, web
from config.stack.stand_ins import stand_ins
from config.stack.supervisor import Supervisor
from tests import loopback
from tests.performance.sink import Sink
from tests.performance.stack import Part

STAFF = "staff@example.com"
READY_WITHIN = 90.0


def plan_of(part: Part) -> Plan:
    """Where the service of a part runs."""
    return Plan("127.0.0.1", free_port(), part.folder, part.folder / "metrics")


def log_in_staff(part: Part) -> dict[str, str]:
    """The header of a member of staff."""
    part.manage("create_user", STAFF, "--name", "Staff", "--staff")
    return {"Authorization": f"Bearer {part.manage('issue_token', STAFF).split()[-1]}"}


@contextmanager
def whole_service(part: Part, plan: Plan, receiver: Sink, worker: str = "") -> Iterator[Supervisor]:
    """Everything that `make run` starts on top of database and cache; if `worker` is given, no other one."""
    # `make run` keeps every trace for its tour, which no deployment would
    own = part.environment(EMAIL_URL=receiver.smtp_url, OTEL_TRACES_EXPORTER="none")
    played = [*stand_ins(own)]
    lead = {name: value for one in played for name, value in one.settings.items()}
    environment = plan.environment(own | lead, coloured=False)
    with listen(plan.host, plan.port) as listener, Supervisor(part.folder / "logs") as supervisor:
        for child in (
            *(one.child for one in played),
            web(environment, listener.fileno()),
            relay(environment),
            *(child for child in background(environment, part.folder) if worker in ("", child.name)),
        ):
            supervisor.start(replace(child, shown=False))
        # it says that it is not ready while a queue has no worker
        ready = f"{plan.url}/{'healthz' if worker else 'readyz'}"
        if not supervisor.wait_for(lambda: _answers(ready), READY_WITHIN):
            raise RuntimeError(f"the service was not ready in time:\n{supervisor.log('web').read_text()[-2000:]}")
        yield supervisor


def _answers(url: str) -> bool:
    try:
        return loopback.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
