"""The newest spans, kept in Valkey for a page that draws them: so many traces, for an hour.

Whoever wants to keep traces has a collector (docs/tracing.md); these are for the developer who has just sent a request.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
import structlog
from prometheus_client import Counter

from apps.core.bus import Query
from apps.core.resilience.valkey import Unavailable, Valkey

log = structlog.get_logger("tracing")
# here, so that the page of metrics has them in a process that is not traced
SPANS = Counter("trace_spans_total", "Spans that have ended, and what became of them at the collector", ["outcome"])
MADE, SENT, LOST = (SPANS.labels(outcome) for outcome in ("made", "sent", "lost"))
MOST_TRACES, MOST_SPANS, KEPT_SECONDS = 300, 500, 3600
TRACE_ID = re.compile("[0-9a-f]{32}")
# the trace's list, the list of traces by age, how many of each, for how long, now, the request ids, the spans
KEEP = """
local room = tonumber(ARGV[2]) - redis.call('LLEN', KEYS[1])
for number = 6 + ARGV[5], #ARGV do
  if room > 0 then redis.call('RPUSH', KEYS[1], ARGV[number]) room = room - 1 end
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
for number = 6, 5 + ARGV[5] do redis.call('SET', 'trace-of:' .. ARGV[number], string.sub(KEYS[1], 7), 'EX', ARGV[3]) end
redis.call('ZADD', KEYS[2], ARGV[4], KEYS[1])
redis.call('EXPIRE', KEYS[2], ARGV[3])
local over = redis.call('ZCARD', KEYS[2]) - ARGV[1]
if over > 0 then
  for _, key in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do redis.call('DEL', key) end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, over - 1)
end
return 1
"""
READ = "return redis.call('LRANGE', KEYS[1], 0, -1)"
FIND = "return redis.call('GET', KEYS[1])"
NEWEST = "return redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1)"
BY_AGE = "traces"


@dataclass(frozen=True)
class KeptSpan:
    """A span as a page reads it; `start` is Unix time in seconds, `links` are ids of other traces."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    process: str
    start: float
    duration_ms: float
    failed: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class GetTrace(Query[list[KeptSpan]]):
    """The spans of a trace that are kept, the earliest first; none if it is not kept, or not any more."""

    trace_id: str


@dataclass(frozen=True)
class FindTrace(Query[str]):
    """The id of the trace of a request by its request id; empty if none is kept."""

    request_id: str


@dataclass(frozen=True)
class ListTraces(Query[list[str]]):
    """The ids of the traces that were added to last, the newest first."""

    limit: int = 20


class SpanStore:
    """Spans in Valkey. While it does not answer, none is kept and none is found."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    def keep(self, spans: Sequence[KeptSpan]) -> bool:
        """Add `spans` to their traces, and forget the oldest; False if some could not be kept."""
        by_trace: dict[str, list[KeptSpan]] = defaultdict(list)
        for span in spans:
            by_trace[span.trace_id].append(span)
        try:
            for trace_id, ours in by_trace.items():
                self._keep(trace_id, ours)
        except Unavailable as error:
            log.debug("spans_not_kept", spans=len(spans), error=str(error))
            return False
        return True

    def _keep(self, trace_id: str, spans: Sequence[KeptSpan]) -> None:
        requests = [str(span.attributes["app.request_id"]) for span in spans if "app.request_id" in span.attributes]
        texts = [orjson.dumps(asdict(span)).decode() for span in spans]
        now = int(max(span.start for span in spans))
        bounds: list[str | int] = [MOST_TRACES, MOST_SPANS, KEPT_SECONDS, now, len(requests)]
        self._valkey.run(KEEP, [_key(trace_id), BY_AGE], [*bounds, *requests, *texts])

    def read(self, query: GetTrace) -> list[KeptSpan]:
        """The answer to GetTrace."""
        if not TRACE_ID.fullmatch(query.trace_id):
            return []
        spans = [KeptSpan(**orjson.loads(text)) for text in self._ask(READ, _key(query.trace_id)) or []]
        return sorted(spans, key=lambda span: (span.start, -span.duration_ms))

    def find(self, query: FindTrace) -> str:
        """The answer to FindTrace."""
        return str(self._ask(FIND, f"trace-of:{query.request_id}") or "")

    def newest(self, query: ListTraces) -> list[str]:
        """The answer to ListTraces."""
        return [str(key).partition(":")[2] for key in self._ask(NEWEST, BY_AGE, min(query.limit, MOST_TRACES)) or []]

    def _ask(self, lua: str, key: str, *arguments: int) -> Any:
        try:
            return self._valkey.run(lua, [key], [*arguments])
        except Unavailable as error:
            log.debug("spans_not_read", error=str(error))
            return None


def _key(trace_id: str) -> str:
    return f"trace:{trace_id}"
