"""Structured logging: structlog and the standard library write the same lines, one JSON object each.

Source: https://www.structlog.org/en/stable/standard-library.html and its page on performance.
"""

from __future__ import annotations

import io
import json
import logging
import logging.config
import os
import sys
from typing import Any, TextIO

import orjson
import structlog

from apps.core.context import sampled
from config import streams
from config.redaction import redact, redact_exception, scrub


def with_trace(_: Any, __: str, line: Any) -> Any:
    """Name the trace and the span that a line belongs to, if the trace is recorded."""
    if place := sampled():
        line["trace_id"], line["span_id"] = place
    return line


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    with_trace,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    redact,
]


class WithException(logging.Filter):
    """Keeps only lines that an exception caused; the request log has the other errors already."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


def configure_logging(level_name: str, *, human: bool = False, keep_loggers: bool = True) -> None:
    """Send structlog's and the standard library's lines to stdout (LOG_STREAM=stderr: to stderr) from `level_name` up.

    JSON, or if `human` lines for people, in colour on a terminal. `keep_loggers` makes a logger's first line decide
    where its lines go; a test that captures lines needs it to be false.
    """
    stream = streams.behind(sys.stderr if os.environ.get("LOG_STREAM") == "stderr" else sys.stdout)
    level = getattr(logging, level_name)
    renderers = _for_people(stream) if human else _for_machines()
    structlog.configure(
        processors=[*SHARED, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream) if human else structlog.BytesLoggerFactory(stream.buffer),
        cache_logger_on_first_use=keep_loggers,
    )
    _configure_standard_library(level_name, renderers, stream)


def _for_people(stream: TextIO) -> list[Any]:
    colours = stream.isatty() or bool(os.environ.get("FORCE_COLOR"))
    return [
        structlog.dev.ConsoleRenderer(
            colors=colours,
            pad_event_to=24,
            # rich's tracebacks print local variables, and with them secrets
            exception_formatter=_scrubbed_traceback,
        )
    ]


def _scrubbed_traceback(stream: TextIO, exc_info: Any) -> None:
    text = io.StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    stream.write(scrub(text.getvalue()))


def _for_machines() -> list[Any]:
    renderer = structlog.processors.JSONRenderer(serializer=_dumps)
    return [structlog.processors.format_exc_info, redact_exception, renderer]


def _dumps(event: Any, **_: Any) -> bytes:
    try:
        return orjson.dumps(event, default=_described, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # what orjson will not write (an integer of 65 bits, half a surrogate pair) must not lose the line
        return json.dumps(event, default=_described, skipkeys=True).encode()


def _described(value: Any) -> str:
    return scrub(repr(value))


def _decoded(_: Any, __: str, line: Any) -> str:
    return line.decode() if isinstance(line, bytes) else str(line)


def _configure_standard_library(level: str, renderers: list[Any], stream: TextIO) -> None:
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*SHARED, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), redact],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers, _decoded],
    }
    # Python's own warnings, as lines like the others
    logging.captureWarnings(True)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"with_exception": {"()": WithException}},
            "formatters": {"structured": formatter},
            "handlers": {"lines": {"class": "logging.StreamHandler", "stream": stream, "formatter": "structured"}},
            "root": {"handlers": ["lines"], "level": level},
            "loggers": {
                "django.request": {"level": "ERROR", "filters": ["with_exception"]},
                # a wrong Host header is the client's mistake, and its 400 is in the request log
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                "django.server": {"level": "WARNING"},
                # httpx writes every URL, and a query may hold an e-mail address
                "httpx": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                # below a warning: that a wake-up had run out, which is no loss and which a metric counts
                "celery.worker.request": {"level": "WARNING"},
            },
        }
    )
