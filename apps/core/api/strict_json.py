"""What JSON parsers let pass and a strict reader does not.

A name that stands twice in its object (RFC 7493), and small bodies that are costly: each value takes some fifty times
its two bytes once it is parsed. All checks take linear time, and those of the shape come before the parsing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from apps.core.errors import pointer_step

DEEPEST = 100
# any double can be written out in full with fewer characters
LONGEST_NUMBER = 400

# possessive, and a string without its closing quote matches too: so each byte is looked at once
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+\\?"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_IN_NUMBERS = bytes(ord("0") if chr(byte) in "0123456789+-.eE" else ord(" ") for byte in range(256))
_TOO_LONG = b"0" * (LONGEST_NUMBER + 1)


def shape_problem(raw: bytes, most_values: int) -> str:
    """What makes `raw` too costly to parse: too many values, nested too deeply, a number too long; "" if nothing does.

    `raw` need not be JSON. Values are counted as JSON's grammar has them: members, items, and what holds them.
    """
    # enough for most bodies: brackets and commas inside strings can only make these counts too high
    if _values(raw) <= most_values and _openings(raw) <= DEEPEST and not _has_long_number(raw):
        return ""
    bare = _STRINGS.sub(b'""', raw)
    if _values(bare) > most_values:
        return f"has more than {most_values} values"
    if _openings(bare) > DEEPEST and _depth(bare) > DEEPEST:
        return f"is nested deeper than {DEEPEST} levels"
    if _has_long_number(bare):
        return f"has a number of more than {LONGEST_NUMBER} characters"
    return ""


def _values(raw: bytes) -> int:
    """At least as many values as there are: one that holds the others, and one behind every opening and comma."""
    return 1 + _openings(raw) + raw.count(b",")


def _openings(raw: bytes) -> int:
    return raw.count(b"[") + raw.count(b"{")


def _depth(bare: bytes) -> int:
    depth = deepest = 0
    for bracket in _BRACKETS.findall(bare):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _has_long_number(raw: bytes) -> bool:
    return len(raw) > LONGEST_NUMBER and _TOO_LONG in raw.translate(_IN_NUMBERS)


def repeated_name(raw: str | bytes) -> str:
    """The JSON pointer to a name that its object in `raw`, which must be JSON, has twice; "" if there is none.

    Raises ValueError if `raw` is nested deeper than Python can follow.
    """
    found: list[tuple[dict[str, Any], str]] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            found.append((made, counts.most_common(1)[0][0]))
        return made

    # numbers stay texts: their values do not matter here
    try:
        top = json.loads(raw, object_pairs_hook=note, parse_int=str, parse_float=str)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    # the last one found is inside no other
    return _path_to(found[-1][0], top) + pointer_step(found[-1][1]) if found else ""


def _path_to(wanted: dict[str, Any], top: Any) -> str:
    """The pointer to `wanted`; joined once at the end, since a pointer for every value would take quadratic space."""
    stack: list[tuple[Any, Any]] = [(top, None)]
    while stack:
        item, trail = stack.pop()
        if item is wanted:
            return _joined(trail)
        if isinstance(item, dict):
            stack.extend((inner, (trail, name)) for name, inner in item.items())
        elif isinstance(item, list):
            stack.extend((inner, (trail, str(index))) for index, inner in enumerate(item))
    return ""


def _joined(trail: Any) -> str:
    steps: list[str] = []
    while trail:
        trail, name = trail
        steps.append(pointer_step(name))
    return "".join(reversed(steps))
