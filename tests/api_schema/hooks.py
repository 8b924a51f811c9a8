"""What schemathesis has to know besides the schema."""

from __future__ import annotations

import json
import uuid
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis.generation.meta import TestPhase

HEADER = "Idempotency-Key"
# the files that the API takes are texts; the schema's pattern says what they may hold
schemathesis.openapi.format("binary", strategies.text(min_size=1))


@schemathesis.serializer("text/csv", "application/x-ndjson")
def send_text(context: schemathesis.SerializationContext, value: Any) -> bytes | None:
    """A text is sent unchanged; anything else cannot be a file, so it is left out."""
    return value.encode() if isinstance(value, str) else None


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: Any) -> bool:
    """Leave out a NUL within a table, which the schema cannot do: the values of a row may be any other JSON."""
    if context.operation is None or not context.operation.path.endswith("/process"):
        return True
    return "\\u0000" not in json.dumps(body, default=str)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Give each of several calls a key of its own: a repeat would get an answer about what was deleted since."""
    headers: Any = case.headers
    if case.meta and case.meta.phase.name == TestPhase.STATEFUL and headers and HEADER in headers:
        headers[HEADER] = uuid.uuid4().hex
