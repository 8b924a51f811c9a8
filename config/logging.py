"""Structured logging: structlog and the standard library write the same lines, one JSON object each.

Source: https://www.structlog.org/en/stable/standard-library.html and its page on performance.
"""

from __future__ import annotations

import json
import logging
import logging.config
import os
import sys
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, TextIO

import orjson
import structlog

from config.env import Settings

SECRET_WORDS = ("password", "passwd", "secret", "token", "authorization", "cookie", "api_key", "credential", "dsn")
# names that hold one of the words above but no secret
HARMLESS = frozenset({"token_type", "tokens", "attempt_token"})
HIDDEN = "[hidden]"


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every key that names a secret, at any depth, by `[hidden]`."""
    for key, value in event.items():
        if _names_a_secret(key):
            event[key] = HIDDEN
        elif isinstance(value, Mapping | list | tuple):
            event[key] = _redacted(value)
    return event


@lru_cache(maxsize=1024)
def _names_a_secret(key: str) -> bool:
    name = key.lower().replace("-", "_")
    return name not in HARMLESS and any(word in name for word in SECRET_WORDS)


def _redacted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: HIDDEN if _names_a_secret(str(key)) else _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner) for inner in value]
    return value


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    redact,
]


class WithException(logging.Filter):
    """Lets through only what an exception caused; the request log has the other errors already."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


def configure_logging(env: Settings) -> None:
    """Send structlog's and the standard library's lines to stdout (LOG_STREAM=stderr: there) from `env.log_level` up.

    JSON in production and under test; in development lines for people, in colour on a terminal.
    """
    human = env.profile == "development"
    stream = sys.stderr if os.environ.get("LOG_STREAM") == "stderr" else sys.stdout
    level = getattr(logging, env.log_level)
    renderers = _for_people(stream) if human else _for_machines()
    structlog.configure(
        processors=[*SHARED, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream) if human else structlog.BytesLoggerFactory(stream.buffer),
        cache_logger_on_first_use=env.profile != "test",
    )
    _configure_standard_library(env.log_level, renderers, stream)


def _for_people(stream: TextIO) -> list[Any]:
    colours = stream.isatty() or bool(os.environ.get("FORCE_COLOR"))
    return [
        structlog.dev.ConsoleRenderer(
            colors=colours,
            pad_event_to=24,
            # rich's tracebacks print local variables, and with them secrets
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]


def _for_machines() -> list[Any]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dumps)]


def _dumps(event: Any, **_: Any) -> bytes:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # what orjson will not write (an integer of 65 bits, half a surrogate pair) must not cost the line
        return json.dumps(event, default=repr, skipkeys=True).encode()


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
            },
        }
    )
