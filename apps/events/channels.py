"""The feed, as the AsyncAPI document describes it."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from apps.events.description import SERVER, Channel, describe
from apps.events.queries import FeedEvent

QUERY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "cursor": {"type": "string", "description": "`next` of the page before; none begins at the oldest event."},
        "limit": {"type": "integer", "description": "Events a page."},
        "type": {"type": "string", "description": "Only events of this type."},
    },
}

describe(
    Channel(
        name="feed",
        title="The feed",
        description=(
            "GET, with a staff user's token, answers `{results, next}`: each message here is one of `results`. All"
            " events in the order in which they were committed, oldest first. `next` is there even on the last page:"
            " keep it, and read on from there later."
        ),
        address="/api/{version}/events",
        server=SERVER,
        operation={
            "title": "Read the feed",
            "security": [{"$ref": "#/components/securitySchemes/bearer"}],
            "bindings": {"http": {"method": "GET", "query": QUERY, "bindingVersion": "0.3.0"}},
        },
        envelope=FeedEvent,
        # the same id as in the log
        message={"correlationId": {"location": "$message.payload#/request_id"}},
        more={
            "parameters": {
                "version": {
                    "description": "The version of the API; events are the same in all.",
                    "enum": list(settings.VERSIONS),
                    "default": settings.VERSIONS[0],
                }
            }
        },
    )
)
