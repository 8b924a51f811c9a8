"""What becomes a span, in which trace, and what it shows; and the spans that are kept for a page."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from apps.core import context
from apps.core.bus import Bus, Command, bus
from apps.core.context import continued, span, traceparent
from apps.core.errors import Conflict
from apps.core.postgresql.traced.base import name, text
from apps.core.resilience.retry import TransientError
from apps.core.resilience.valkey import Unavailable, Valkey
from apps.core.telemetry.spans import MOST_SPANS, MOST_TRACES, FindTrace, GetTrace, KeptSpan, ListTraces, SpanStore
from config.stack.plan import Plan
from config.tracing import wanted
from config.tracing.calls import TracedRetry
from config.tracing.exporters import Kept
from config.tracing.parts import wrap_bus, wrap_valkey
from config.tracing.sdk import Tracing, role
from tests.breakers import fresh_breaker
from tests.traces.collector import Collector
from tests.traces.test_carried import SAMPLED, SPAN, TRACE, UNSAMPLED

OTHER = SAMPLED.replace(TRACE, "c" * 32)
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.fixture
def seen() -> Iterator[InMemorySpanExporter]:
    """The spans of this process."""
    exporter = InMemorySpanExporter()
    context.trace_with(Tracing({}, lambda: [SimpleSpanProcessor(exporter)]))
    yield exporter
    context.trace_with(None)


def ended(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {one.name: one for one in exporter.get_finished_spans()}


def trace_of(one: ReadableSpan) -> str:
    return f"{one.context.trace_id:032x}"


@pytest.mark.parametrize(
    ("environment", "where"),
    [
        ({}, []),
        (ENDPOINT, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, []),
        ({"OTEL_TRACES_EXPORTER": "valkey"}, ["valkey"]),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "valkey"}, ["otlp", "valkey"]),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": " OTLP "}, ["otlp"]),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, []),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "True", "OTEL_TRACES_EXPORTER": "valkey"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, []),
    ],
)
def test_the_standard_variables_say_where_spans_go(environment: dict[str, str], where: list[str]) -> None:
    assert wanted(environment) == where


def test_what_is_in_no_trace_is_no_span(seen: InMemorySpanExporter) -> None:
    with span("SELECT users_user", "client"):
        assert traceparent() == ""
    with span("POST", "server", parents=(UNSAMPLED,)), span("SELECT users_user", "client"):
        assert traceparent().startswith(f"00-{TRACE}-")
        assert traceparent().endswith("-00")
    assert ended(seen) == {}


def test_a_client_without_a_trace_begins_one(seen: InMemorySpanExporter) -> None:
    with span("POST", "server", parents=("nonsense",)), span("RegisterUser"):
        place = traceparent()
    spans = ended(seen)
    assert spans["POST"].parent is None
    assert place == f"00-{trace_of(spans['POST'])}-{spans['RegisterUser'].context.span_id:016x}-03"


def test_a_batch_with_many_causes_is_linked_with_each(seen: InMemorySpanExporter) -> None:
    with span("relay", "producer", parents=(SAMPLED, OTHER, SAMPLED, UNSAMPLED.replace(TRACE, "d" * 32), "")):
        batch = traceparent()[3:35]
    found = {trace_of(one): one for one in seen.get_finished_spans()}
    # who is not sampled sees nothing, not even here
    assert set(found) == {batch, TRACE, "c" * 32}
    assert {f"{link.context.trace_id:032x}" for link in found[batch].links} == {TRACE, "c" * 32, "d" * 32}
    for trace_id in (TRACE, "c" * 32):
        one, (link,) = found[trace_id], found[trace_id].links
        assert f"{link.context.trace_id:032x}" == batch
        assert one.parent
        assert f"{one.parent.span_id:016x}" == SPAN
        assert (one.end_time or 0) - (one.start_time or 0) > 0


def test_work_that_a_task_has_found_belongs_to_its_own_cause(seen: InMemorySpanExporter) -> None:
    with span("task", parents=()):
        task = traceparent()
        with continued(SAMPLED), span("deliver", parents=(SAMPLED,)), span("inner"):
            pass
        assert traceparent() == task
    spans = ended(seen)
    assert trace_of(spans["deliver"]) == trace_of(spans["inner"]) == TRACE
    assert [f"{link.context.trace_id:032x}" for link in spans["deliver"].links] == [task[3:35]]


def test_coroutines_do_not_mix_up_their_spans(seen: InMemorySpanExporter) -> None:
    async def send(cause: str) -> str:
        with span("POST hook", "client", parents=(cause,)):
            await asyncio.sleep(0)
            return traceparent()[3:35]

    async def both() -> list[str]:
        return list(await asyncio.gather(send(SAMPLED), send(OTHER)))

    assert asyncio.run(both()) == [TRACE, "c" * 32]


def test_an_error_shows_its_kind_and_not_its_text(seen: InMemorySpanExporter) -> None:
    for raised in (ValueError("ada@example.com"), Conflict("ada@example.com is taken")):
        with pytest.raises(type(raised)), span(type(raised).__name__, parents=()):
            raise raised
    spans = ended(seen)
    assert (spans["ValueError"].attributes, spans["ValueError"].status.is_ok) == ({"error.type": "ValueError"}, False)
    # a refusal is an answer
    assert (spans["Conflict"].attributes, spans["Conflict"].status.is_ok) == ({"error.type": Conflict.code}, True)
    assert not any("ada@" in one.to_json() for one in spans.values())


def test_commands_attempts_and_breakers_are_spans(seen: InMemorySpanExporter) -> None:
    class Ask(Command[None]):
        """Asks another machine."""

    breaker, retry = fresh_breaker(failure_threshold=1), TracedRetry(max_attempts=2, sleep=lambda seconds: None)

    def fail() -> None:
        raise TransientError("away")

    own = Bus()
    own.register(Ask, lambda command: retry.call(breaker.call, fail))
    Ask.atomic = False
    wrap_bus(own)
    with pytest.raises(Exception, match="is open"), span("POST", "server", parents=(SAMPLED,)):
        own.execute(Ask())
    spans = seen.get_finished_spans()
    assert [one.name for one in spans if one.name == "attempt"] == ["attempt"] * 2
    assert ended(seen)["Ask"].attributes == {"app.message": "command", "error.type": "CircuitOpen"}


def test_what_is_asked_of_valkey_is_a_span(seen: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, method in ((Valkey, "run"), (redis.Redis, "execute_command")):
        # so that monkeypatch restores it
        monkeypatch.setattr(kind, method, getattr(kind, method))
    wrap_valkey()
    with redis.Redis.from_url(settings.ENV.redis_url) as client, span("task", parents=()):
        Valkey(settings.ENV.redis_url, timeout=1.0).run("return 1", ["person:ada@example.com"], [])
        client.get("ada@example.com")
    assert [one.name for one in seen.get_finished_spans()] == ["EVALSHA person", "GET", "task"]
    assert not any("ada@" in one.to_json() for one in seen.get_finished_spans())


@pytest.mark.parametrize(
    ("statements", "called"),
    [
        (("BEGIN", 'INSERT INTO "users_user" ("name") VALUES (%s)'), "INSERT users_user"),
        (("INSERT INTO events_outboxevent (type) VALUES (%s)", "COMMIT"), "INSERT events_outboxevent"),
        (("SELECT 1",), "SELECT"),
        (("SELECT nextval('p') FROM generate_series(1, %s)",), "SELECT"),
        (("SELECT t FROM unnest(%s) t WHERE EXISTS (SELECT 1 FROM users_session)",), "SELECT users_session"),
        (("", "COMMIT"), "COMMIT"),
        (
            ("WITH held AS (SELECT id FROM users_user WHERE id = %s) INSERT INTO p SELECT id FROM held",),
            "WITH users_user",
        ),
    ],
)
def test_a_trip_is_named_by_what_it_does(statements: tuple[str, ...], called: str) -> None:
    assert name(statements) == called


def test_only_a_text_with_placeholders_is_shown() -> None:
    assert text("SELECT\n  %s") == "SELECT %s"
    assert text(b"SELECT 'ada@example.com'") == "bytes"


def test_a_process_says_what_it_is() -> None:
    assert role(["celery", "-A", "config.celery", "worker", "-Q", "events,io", "-c", "2"]) == "worker events,io"
    assert role(["manage.py", "relay"]) == "relay"


def test_a_process_that_ends_sends_its_last_spans() -> None:
    program = "import django; django.setup(); from apps.core.context import span\nwith span('last', parents=()): pass"
    with Collector() as collector:
        environment = os.environ | collector.environment | {"OTEL_BSP_SCHEDULE_DELAY": "60000"}
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
        assert [one.name for one in collector.spans] == ["last"]


def test_the_development_stack_keeps_the_newest_spans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = Plan("127.0.0.1", 8000, tmp_path, tmp_path)
    assert wanted(plan.environment({}, coloured=False)) == ["valkey"]
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert wanted(plan.environment({}, coloured=False)) == []


@pytest.fixture
def store() -> SpanStore:
    return SpanStore(Valkey(settings.ENV.redis_url, timeout=1.0))


def kept(trace_id: str, span_id: str = SPAN, start: float = 0.0, **attributes: str) -> KeptSpan:
    return KeptSpan(trace_id, span_id, "", "POST", "server", "web", start, 1.5, attributes=attributes)


def test_the_newest_traces_are_kept_for_an_hour(store: SpanStore, valkey: redis.Redis) -> None:
    ids = [f"{number:032x}" for number in range(1, MOST_TRACES + 4)]
    for number, trace_id in enumerate(ids):
        assert store.keep([kept(trace_id, start=number, **{"app.request_id": f"request-{number}"})])
    assert store.newest(ListTraces(2)) == ids[:-3:-1]
    assert [store.read(GetTrace(trace_id)) for trace_id in ids[:3]] == [[]] * 3
    assert len(store.newest(ListTraces(10**6))) == MOST_TRACES
    assert store.find(FindTrace("request-9")) == ids[9]
    assert store.find(FindTrace("nobody's")) == ""
    assert all(0 < valkey.ttl(key) <= 3600 for key in valkey.keys("*trace*"))


def test_a_trace_has_an_end_and_is_read_in_order(store: SpanStore) -> None:
    store.keep([kept(TRACE, f"{number:016x}", start=1000.0 - number) for number in range(1, MOST_SPANS + 50)])
    spans = store.read(GetTrace(TRACE))
    assert len(spans) == MOST_SPANS
    assert [one.start for one in spans] == sorted(one.start for one in spans)
    assert store.read(GetTrace("../" + TRACE)) == []


def test_what_is_made_here_can_be_read_there(seen: InMemorySpanExporter, store: SpanStore) -> None:
    with span("POST", "server", {"app.request_id": "request-77"}, parents=(SAMPLED,)) as outer:
        with span("RegisterUser"):
            pass
        outer.fail("500")
    Kept(store).export(seen.get_finished_spans())
    request, command = bus.ask(GetTrace(bus.ask(FindTrace("request-77"))))
    assert (request.trace_id, request.parent_id, request.failed, request.kind) == (TRACE, SPAN, True, "server")
    assert (command.name, command.parent_id) == ("RegisterUser", request.span_id)
    assert 0 < command.duration_ms < request.duration_ms


def test_without_valkey_none_is_kept_and_none_found() -> None:
    class Away(Valkey):
        def run(self, lua: str, keys: list[str], args: list[str | int]) -> None:
            raise Unavailable("away")

    store = SpanStore(Away("redis://127.0.0.1:1/0"))
    assert not store.keep([kept(TRACE)])
    assert (store.read(GetTrace(TRACE)), store.find(FindTrace("x")), store.newest(ListTraces())) == ([], "", [])
