"""The tracer: OpenTelemetry's spans behind the `span` of apps/core/context.py.

Of an error only its type is kept: what it says may quote a person's data.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from time import time_ns
from typing import Self, cast

from opentelemetry.context import Context, attach, create_key, detach, get_value, set_value
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace import Span as SdkSpan
from opentelemetry.trace import Tracer as SdkTracer

from apps.core.context import UNTRACED, Attributes, Kind, Span, accept_traceparent
from apps.core.errors import DomainError

KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
# the span of the worker's task, in a block that continues the trace of what the task has found
AROUND = create_key("around")


class LiveSpan(Span):
    """A span of the SDK, and the current one in its block."""

    def __init__(
        self, span: SdkSpan, context: Context | None, ended: Callable[[SdkSpan], object] | None = None
    ) -> None:
        self._span = span
        self._context = context
        self._ended = ended

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, reason: str) -> None:
        self._span.set_attribute("error.type", reason)
        self._span.set_status(Status(StatusCode.ERROR))

    def __enter__(self) -> Self:
        self._token = attach(set_span_in_context(self._span, self._context))
        return self

    def __exit__(self, *raised: object) -> None:
        detach(self._token)
        error = raised[1] if raised else None
        if isinstance(error, DomainError):
            self._span.set_attribute("error.type", error.code)
        elif error is not None:
            self.fail(type(error).__qualname__)
        self._span.end()
        if self._ended:
            self._ended(self._span)


class Attached:
    """A block that belongs to a span which another process, or an earlier block, has made."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = attach(self._context)

    def __exit__(self, *_: object) -> None:
        detach(self._token)


class Tracing:
    """OpenTelemetry as the tracer of this process; `make_processors` is called with its first span, after any fork."""

    def __init__(self, attributes: dict[str, str], make_processors: Callable[[], Sequence[SpanProcessor]]) -> None:
        self._attributes = attributes
        self._make_processors = make_processors
        self._lock = threading.Lock()
        self._provider: TracerProvider | None = None
        self._tracer: SdkTracer | None = None

    def ready(self) -> SdkTracer:
        """Make what the first span needs, and its threads; afterwards this process should not fork."""
        if self._tracer is None:
            with self._lock:
                if self._tracer is None:
                    self._provider = self._made()
                    self._tracer = self._provider.get_tracer("apps")
        return self._tracer

    def _made(self) -> TracerProvider:
        # the standard variables name the service, the sampler, and the limits of a span
        instance = f"{role(sys.argv)}@{socket.gethostname()}:{os.getpid()}"
        ours = Resource(self._attributes | {"service.instance.id": instance})
        # what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say comes before what we say
        resource = ours.merge(OTELResourceDetector().detect())
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for processor in self._make_processors():
            provider.add_span_processor(processor)
        return provider

    def span(self, name: str, kind: Kind, parents: Collection[str] | None, attributes: Attributes) -> Span:
        if parents is None:
            if not self.records():
                return UNTRACED
            return LiveSpan(self.ready().start_span(name, None, KINDS[kind], attributes), None)
        causes = {accepted for parent in set(parents) if (accepted := accept_traceparent(parent))}
        if len(causes) > 1:
            return self._of_many(name, kind, sorted(causes), attributes)
        context = remote(causes.pop() if causes else "")
        links = [Link(found) for found in around(get_current_span(context).get_span_context().trace_id)]
        return LiveSpan(self.ready().start_span(name, context, KINDS[kind], attributes, links), context)

    def _of_many(self, name: str, kind: Kind, causes: list[str], attributes: Attributes) -> Span:
        """A trace of its own, linked with those of its causes, each of which gets a span as long as this one."""
        places = [place(cause) for cause in causes]
        began, links = time_ns(), [Link(one) for one in places]

        def tell_causes(batch: SdkSpan) -> None:
            ended, link = time_ns(), [Link(batch.get_span_context())]
            for cause in causes:
                told = self.ready().start_span(name, remote(cause), KINDS[kind], attributes, link, start_time=began)
                told.end(ended)

        span = self.ready().start_span(name, Context(), KINDS[kind], attributes, links, start_time=began)
        return LiveSpan(span, Context(), tell_causes)

    def continued(self, traceparent: str) -> AbstractContextManager[object]:
        context = remote(accept_traceparent(traceparent))
        found = around(get_current_span(context).get_span_context().trace_id)
        return Attached(set_value(AROUND, found, context))

    def records(self) -> bool:
        return get_current_span().get_span_context().trace_flags.sampled

    def traceparent(self) -> str:
        here = get_current_span().get_span_context()
        if not here.is_valid:
            return ""
        return f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}"

    def shut_down(self) -> None:
        """Send what waits; may take as long as the exporters wait."""
        if self._provider:
            self._provider.shutdown()


def place(traceparent: str) -> SpanContext:
    """The span that a valid traceparent names."""
    trace_id, span_id, flags = traceparent[3:35], traceparent[36:52], traceparent[53:55]
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def remote(traceparent: str) -> Context:
    """A context in which the span that a valid traceparent names is the current one; none, if it is empty."""
    return set_span_in_context(NonRecordingSpan(place(traceparent)) if traceparent else INVALID_SPAN, Context())


def around(trace_id: int) -> Sequence[SpanContext]:
    """The span around the current work, if it is of another trace than `trace_id`: who took the work up."""
    here = get_current_span().get_span_context()
    if here.trace_flags.sampled and here.trace_id != trace_id:
        return (here,)
    return cast("Sequence[SpanContext]", get_value(AROUND) or ())


def role(argv: list[str]) -> str:
    """What this process is, in a word or two: "web", "relay", "worker events,io"."""
    if "config.wsgi" in sys.modules:
        return "web"
    if "beat" in argv:
        return "beat"
    if "worker" in argv:
        queues = [argv[number + 1] for number, word in enumerate(argv[:-1]) if word == "-Q"]
        return " ".join(["worker", *queues])
    return argv[1] if len(argv) > 1 else "python"
