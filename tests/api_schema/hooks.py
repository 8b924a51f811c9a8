"""What schemathesis has to know beside the schema."""

from __future__ import annotations

import json
import uuid
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis.generation.meta import TestPhase

HEADER = "Idempotency-Key"
# the files that the API takes are texts; what they may hold says the schema's pattern
schemathesis.openapi.format("binary", strategies.text(min_size=1))


@schemathesis.serializer("text/csv", "application/x-ndjson")
def send_text(context: schemathesis.SerializationContext, value: Any) -> bytes | None:
    """A text as it is; of anything else a file could only hold the text, so it is left out."""
    return value.encode() if isinstance(value, str) else None


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: Any) -> bool:
    """No NUL within a table: the values of a row may be anything else, which takes a schema that names itself."""
    if context.operation is None or not context.operation.path.endswith("/process"):
        return True
    return "\\u0000" not in json.dumps(body, default=str)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """In a row of calls a key of its own for each: a repeat would be told of what is made, and deleted since."""
    headers: Any = case.headers
    if case.meta and case.meta.phase.name == TestPhase.STATEFUL and headers and HEADER in headers:
        headers[HEADER] = uuid.uuid4().hex
