"""Request bodies in JSON: objects, checked before anything else looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.parsers import BaseParser

from apps.core.api.strict_json import repeated_name, shape_problem
from apps.core.errors import FieldProblem, Invalid
from apps.core.http.refusals import MalformedBody

MOST_VALUES = 1000


class JSONParser(BaseParser):
    """Strict JSON (RFC 8259, RFC 7493): UTF-8, no NaN, lone surrogate, NUL or name that stands twice; an object."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The body, which the view has taken within its bound, as a dictionary. Raises MalformedBody, Invalid."""
        most_values = getattr((parser_context or {}).get("view"), "most_values", MOST_VALUES)
        return read_object(stream.read(), most_values)


def read_object(raw: bytes, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """`raw` as a JSON object of up to `most_values` values. Raises MalformedBody; Invalid for a name that repeats."""
    if problem := shape_problem(raw, most_values):
        raise MalformedBody(f"The body {problem}.")
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"The body is not valid JSON in UTF-8: {error}.") from None
    if not isinstance(data, dict):
        raise MalformedBody("The body must be a JSON object.")
    # escaped, since a raw NUL is not JSON; PostgreSQL cannot keep either
    if b"\\u0000" in raw and _has_nul(data):
        raise MalformedBody("The body holds a NUL character (\\u0000), which cannot be kept.")
    if pointer := repeated_name(raw):
        raise Invalid([FieldProblem(pointer, "duplicate_name", "stands more than once in its object")])
    return data


def _has_nul(value: Any) -> bool:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if "\0" in item:
                return True
        elif isinstance(item, dict):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return False
