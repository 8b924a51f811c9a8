"""What a webhook's values must be, except its URL, which apps/webhooks/addresses.py checks."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.errors import FieldProblem, Invalid
from apps.core.text import has_controls
from apps.events.bus import public_types


def check_event_types(types: Sequence[str]) -> None:
    """Raises Invalid, naming the types, if there are any that this service does not have."""
    unknown = sorted(set(types) - set(public_types()))
    if unknown:
        known = ", ".join(public_types())
        raise Invalid([FieldProblem("/event_types", "unknown_type", f"{', '.join(unknown)}: there is {known}")])


def check_description(text: str) -> None:
    """Raises Invalid for a text that is not one line of characters."""
    if has_controls(text):
        detail = "A description is one line, without control characters."
        raise Invalid([FieldProblem("/description", "invalid", detail)])
