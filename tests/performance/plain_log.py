"""The plain DRF project's log: the standard library, a line of JSON for each request."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

log = logging.getLogger("request")


class JSONFormatter(logging.Formatter):
    """A line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        data = {"timestamp": self.formatTime(record), "level": record.levelname, "event": record.getMessage()}
        return json.dumps(data | getattr(record, "facts", {}))


class RequestLine:
    """Middleware: request id, duration, log line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        request_id = request.headers.get("X-Request-ID") or str(uuid.uuid4())
        response = self.get_response(request)
        seconds = time.perf_counter() - start
        response["X-Request-ID"] = request_id
        response["X-Process-Time"] = f"{seconds:.6f}"
        facts: dict[str, object] = {"request_id": request_id, "method": request.method, "path": request.path}
        facts |= {"status": response.status_code, "duration": seconds, "ip": request.META["REMOTE_ADDR"]}
        log.info("request_finished", extra={"facts": facts})
        return response
