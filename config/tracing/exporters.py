"""Where spans go: to a collector by OTLP, and into Valkey, where a page can read the newest.

Both run in a thread of their own behind a bounded queue: whoever ends a span waits for nobody, and what the queue has
no room for is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from apps.core.telemetry.spans import LOST, MADE, SENT, KeptSpan, SpanStore

# a page that shows the newest spans should not wait as long for them as a collector may
KEEP_MILLISECONDS = 500


class Counted(SpanExporter):
    """An exporter whose spans are counted."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans`, which takes OTEL_EXPORTER_OTLP_TIMEOUT seconds at most."""
        result = self._exporter.export(spans)
        (SENT if result is SpanExportResult.SUCCESS else LOST).inc(len(spans))
        return result

    def shutdown(self) -> None:
        """Send nothing more."""
        self._exporter.shutdown()


class Kept(SpanExporter):
    """Keeps spans in Valkey, for a page."""

    def __init__(self, store: SpanStore) -> None:
        self._store = store

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep `spans`; those that Valkey does not take are lost."""
        kept = self._store.keep([kept_span(span) for span in spans])
        return SpanExportResult.SUCCESS if kept else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing is open."""


class Counting(SpanProcessor):
    """Counts what ends; what was made and neither sent nor lost waits in the queue, or found no room there."""

    def on_end(self, span: ReadableSpan) -> None:
        """Count `span`."""
        MADE.inc()


def kept_span(span: ReadableSpan) -> KeptSpan:
    """`span` as the store keeps it."""
    context, parent = span.context, span.parent
    start, end = span.start_time or 0, span.end_time or 0
    return KeptSpan(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        parent_id=f"{parent.span_id:016x}" if parent else "",
        name=span.name,
        kind=span.kind.name.lower(),
        process=str(span.resource.attributes.get("service.instance.id", "")),
        start=start / 1e9,
        duration_ms=round((end - start) / 1e6, 3),
        failed=span.status.status_code is StatusCode.ERROR,
        attributes=_plain(span.attributes),
        links=[f"{link.context.trace_id:032x}" for link in span.links],
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in (attributes or {}).items()}
