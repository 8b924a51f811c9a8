"""A collector of OTLP over HTTP that keeps what it is sent; it can be told to answer nothing."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True)
class Seen:
    """A span as it came in; `process` is the service.instance.id of who sent it."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    process: str
    attributes: dict[str, Any]
    links: list[str]
    failed: bool
    start: int
    end: int

    @property
    def role(self) -> str:
        """Web, relay or worker, without host and pid."""
        return self.process.partition("@")[0]


class Collector:
    """`with Collector() as collector:` runs it; `environment` lets a process send to it, each span at once."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.frozen = threading.Event()
        self.asked = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """The test's output is its own."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_address[1]}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def take(self, path: str, body: bytes) -> None:
        """Keep the spans in `body`; if frozen, answer when the test ends."""
        assert path == "/v1/traces"
        with self._lock:
            self.asked += 1
        if self.frozen.is_set():
            self._closing.wait(60)
            return
        with self._lock:
            self.spans += read(body)

    def of(self, trace_id: str) -> list[Seen]:
        """The spans of a trace, in the order in which they began."""
        return sorted((span for span in list(self.spans) if span.trace_id == trace_id), key=lambda span: span.start)

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()


def read(body: bytes) -> Iterable[Seen]:
    """The spans of an OTLP request."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        process = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield Seen(
                span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name, KINDS[span.kind],
                process["service.instance.id"], {pair.key: _value(pair.value) for pair in span.attributes},
                [link.trace_id.hex() for link in span.links], span.status.code == 2,
                span.start_time_unix_nano, span.end_time_unix_nano,
            )  # fmt: skip


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


def tree(spans: list[Seen], parent: str) -> list[Any]:
    """The names of the spans under `parent`, each with those under it, as [name, [...]] or just the name."""
    found = []
    for span in (one for one in spans if one.parent_id == parent):
        below = tree(spans, span.span_id)
        found.append([span.name, below] if below else span.name)
    return found


def statement(span: Seen) -> bool:
    """Whether it is a statement of SQL or a command of Valkey."""
    return "db.system.name" in span.attributes
