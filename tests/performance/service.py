"""Everything that `make run` starts on top of database and cache, for the parts that measure all of it together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from config.server.ports import free_port
from config.server.serve import listen
from config.stack.plan import Plan, background, relay, web
from config.stack.stand_ins import stand_ins
from config.stack.supervisor import Supervisor
from tests import loopback
from tests.performance.sink import Sink
from tests.performance.stack import Part

READY_WITHIN = 90.0


@contextmanager
def whole_service(part: Part, receiver: Sink, worker: str = "") -> Iterator[tuple[Supervisor, str]]:
    """Everything that `make run` starts on top of database and cache, and its URL; if `worker` is given, no other one.

    Raises RuntimeError if it is not ready in time.
    """
    plan = Plan("127.0.0.1", free_port(), part.folder, part.folder / "metrics")
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
        if not supervisor.wait_for(lambda: loopback.answers(ready), READY_WITHIN):
            raise RuntimeError(f"the service was not ready in time:\n{supervisor.log('web').read_text()[-2000:]}")
        yield supervisor, plan.url
