"""Holds every event that a test publishes, in this process or in one that it starts, to the event's own description.

What is written to the outbox is looked at, after the event's class had its say. The publisher has to be in the app that
the description names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import jsonschema_rs

from apps.core.bus import send_later
from apps.events import bus
from apps.events.bus import EVENTS
from apps.events.description import data_schema, sender

_seen: list[str] = []


@cache
def _validator(kind: str) -> jsonschema_rs.Draft7Validator:
    # consumers are told to pass over what they do not know; what is published has nothing that is not described
    schema = data_schema(EVENTS[kind]) | {"additionalProperties": False}
    return jsonschema_rs.Draft7Validator(schema, validate_formats=True)


def problems(events: Iterable[tuple[str, str]]) -> list[str]:
    """What is wrong with these events, each a type and its content as JSON text; types without a class are left out."""
    return [
        f"{kind} {text} is not as described: {error.message}"
        for kind, text in events
        if kind in EVENTS
        for error in _validator(kind).iter_errors(json.loads(text))
    ]


def take() -> list[str]:
    """What was wrong with the events that this process has published since the last call."""
    seen = list(_seen)
    _seen.clear()
    return seen


def _noted(sql: str, params: Sequence[Any]) -> None:
    if sql == bus.INSERT:
        events = [(params[0], params[2])]
    else:
        events = [(kind, json.dumps(data)) for kind, _, data in json.loads(params[-1])]
    _seen.extend(problems(events))
    # 0 is here, 1 is publish or publish_all
    publisher = sys._getframe(2).f_globals["__name__"]
    if publisher.startswith("apps."):
        senders = {kind: sender(EVENTS[kind]) for kind, _ in events}
        strange = [(kind, app) for kind, app in senders.items() if app != publisher.split(".")[1]]
        _seen.extend(f"{kind} is published by {publisher}, not by the app {app}" for kind, app in strange)
    send_later(sql, params)


bus.send_later = _noted  # type: ignore[attr-defined] # what publish calls, wherever it was imported to
