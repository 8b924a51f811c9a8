"""What is wrapped with a span when this process is traced, and how its tracer ends.

The bus, Valkey and Celery's tasks are wrapped here, retries and breakers in config/container.py, statements by the
backend apps/core/postgresql/traced.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import Any, cast

import redis
from celery.signals import task_postrun, task_prerun, worker_process_shutdown
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from apps.core.bus import Bus, Command, Query, R, bus
from apps.core.context import Span, span, trace_with
from apps.core.resilience.valkey import Valkey
from apps.core.telemetry.spans import SpanStore
from config import tracing
from config.env import Settings
from config.tracing.exporters import KEEP_MILLISECONDS, Counted, Counting, Kept
from config.tracing.sdk import Tracing

# a collector that does not answer holds up the end of a process for so long at most
LAST_SECONDS = 2.0
KEEP_SECONDS = 1.0
VALKEY = {"db.system.name": "redis"}


def trace(env: Settings, exporters: list[str]) -> Tracing:
    """Trace this process, and send what it does to `exporters`; returns its tracer."""
    attributes = {
        "service.name": env.otel_service_name,
        "service.version": env.api_version,
        "deployment.environment.name": env.profile,
    }
    tracer = Tracing(attributes, lambda: processors(exporters, env.redis_url))
    trace_with(tracer)
    wrap_bus(bus)
    wrap_valkey()
    wrap_tasks()
    end = ending(tracer)
    atexit.register(end)
    # a child of a worker's pool ends without Python's own end
    worker_process_shutdown.connect(end, weak=False)
    return tracer


def processors(exporters: list[str], redis_url: str) -> list[SpanProcessor]:
    """What takes the spans that end: a bounded queue and a thread for each exporter."""
    found: list[SpanProcessor] = [Counting()]
    if tracing.OTLP in exporters:
        # endpoint, headers, time-outs and the queue's size are the SDK's own variables
        found.append(BatchSpanProcessor(Counted(OTLPSpanExporter())))
    if tracing.VALKEY in exporters:
        store = SpanStore(Valkey(redis_url, timeout=KEEP_SECONDS))
        found.append(BatchSpanProcessor(Kept(store), schedule_delay_millis=KEEP_MILLISECONDS))
    return found


def ending(tracer: Tracing) -> Callable[..., None]:
    """A function that sends what waits, and gives up after LAST_SECONDS."""

    def end(**_: Any) -> None:
        last = threading.Thread(target=tracer.shut_down, name="last spans", daemon=True)
        last.start()
        last.join(LAST_SECONDS)

    return end


def wrap_bus(bus: Bus) -> None:
    """Make a span of each command and each query."""
    execute, ask = bus.execute, bus.ask

    def traced_execute(command: Command[R]) -> R:
        with span(type(command).__name__, attributes={"app.message": "command"}):
            return execute(command)

    def traced_ask(query: Query[R]) -> R:
        with span(type(query).__name__, attributes={"app.message": "query"}):
            return ask(query)

    bus.execute, bus.ask = traced_execute, traced_ask  # type: ignore[method-assign]


def wrap_valkey() -> None:
    """Make a span of each script on Valkey, named by what its key begins with, and of each command of Django's cache.

    What else is in a key, and in a command, may be a person.
    """
    run, execute = Valkey.run, cast("Callable[..., Any]", redis.Redis.execute_command)

    def traced_run(self: Valkey, lua: str, keys: list[str], args: list[str | int]) -> Any:
        with span(f"EVALSHA {keys[0].partition(':')[0]}", "client", VALKEY):
            return run(self, lua, keys, args)

    def traced_command(self: redis.Redis, *words: Any, **options: Any) -> Any:
        with span(str(words[0]), "client", VALKEY):
            return execute(self, *words, **options)

    Valkey.run = traced_run  # type: ignore[method-assign]
    redis.Redis.execute_command = traced_command  # type: ignore[method-assign]


def wrap_tasks() -> None:
    """Make a span of each task of Celery. It begins a trace: a wake-up has no cause of its own."""
    open_spans: dict[str, Span] = {}

    def begin(task_id: str, task: Any, **_: Any) -> None:
        open_spans[task_id] = span(f"task {task.name}", "consumer", parents=()).__enter__()

    def end(task_id: str, state: str | None = None, **_: Any) -> None:
        if ended := open_spans.pop(task_id, None):
            if state != "SUCCESS":
                ended.fail(state or "UNKNOWN")
            ended.__exit__()

    task_prerun.connect(begin, weak=False)
    task_postrun.connect(end, weak=False)
