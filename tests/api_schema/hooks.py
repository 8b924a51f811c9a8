"""What schemathesis has to know beside the schema."""

from __future__ import annotations

import uuid
from typing import Any

import schemathesis
from schemathesis.generation.meta import TestPhase

HEADER = "Idempotency-Key"


@schemathesis.serializer("text/csv", "application/x-ndjson")
def send_text(context: schemathesis.SerializationContext, value: Any) -> bytes | None:
    """A text as it is; of anything else a file could only hold the text, so it is left out."""
    return value.encode() if isinstance(value, str) else None


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """In a row of calls a key of its own for each: a repeat would be told of what is made, and deleted since."""
    headers: Any = case.headers
    if case.meta and case.meta.phase.name == TestPhase.STATEFUL and headers and HEADER in headers:
        headers[HEADER] = uuid.uuid4().hex
