"""What JSON parsers let pass and a strict reader does not: a name that stands twice in its object (RFC 7493)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from apps.core.errors import pointer_step


def repeated_name(raw: str | bytes) -> str:
    """The JSON pointer to a name that its object in `raw`, which must be JSON, has twice; "" if there is none."""
    found: list[tuple[dict[str, Any], str]] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            found.append((made, counts.most_common(1)[0][0]))
        return made

    # numbers stay texts: their values are none of this function's business
    top = json.loads(raw, object_pairs_hook=note, parse_int=str, parse_float=str)
    # the last one found is inside no other
    return _path_to(found[-1][0], top) + pointer_step(found[-1][1]) if found else ""


def _path_to(wanted: dict[str, Any], top: dict[str, Any]) -> str:
    stack: list[tuple[str, Any]] = [("", top)]
    while stack:
        path, item = stack.pop()
        if item is wanted:
            return path
        if isinstance(item, dict):
            stack.extend((path + pointer_step(name), inner) for name, inner in item.items())
        elif isinstance(item, list):
            stack.extend((f"{path}/{index}", inner) for index, inner in enumerate(item))
    return ""
