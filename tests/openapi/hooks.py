"""What schemathesis has to know to send the bodies of POST /users/import."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("text/csv", "application/x-ndjson")
def send_text(context: schemathesis.SerializationContext, value: Any) -> bytes | None:
    """A text as it is; of anything else a file could only hold the text, so it is left out."""
    return value.encode() if isinstance(value, str) else None
