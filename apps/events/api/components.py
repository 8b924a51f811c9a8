"""What the OpenAPI schema says of events in more than one place."""

from __future__ import annotations

from typing import Any

from apps.events.bus import public_types

EVENT_TYPE = {"$ref": "#/components/schemas/EventType"}


def describe_types(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing: the types of events, which EVENT_TYPE names."""
    components = result["components"]
    types = {"type": "string", "enum": public_types()}
    components["schemas"] = dict(sorted({**components["schemas"], "EventType": types}.items()))
    return result
