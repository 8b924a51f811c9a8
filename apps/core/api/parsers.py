"""Request bodies: JSON objects, checked before anything else looks at them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework import exceptions
from rest_framework.parsers import BaseParser

from apps.core.errors import FieldProblem, Invalid, pointer_step

DEEPEST = 100


class ContentTooLarge(exceptions.APIException):
    """The body is larger than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = 413
    default_code = "content_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have up to {limit} bytes.")


class JSONParser(BaseParser):
    """Strict JSON (RFC 8259, RFC 7493): UTF-8, no NaN, lone surrogate, NUL or name that stands twice; an object."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The body as a dictionary. Raises ParseError with what is wrong, ContentTooLarge past the limit."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        declared = str((parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0")
        if declared.isdigit() and int(declared) > limit:
            raise ContentTooLarge(limit)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise ContentTooLarge(limit)
        return read_object(raw)


def read_object(raw: bytes) -> dict[str, Any]:
    """`raw` as a JSON object. Raises ParseError."""
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise exceptions.ParseError(f"The body is not valid JSON in UTF-8: {error}.") from None
    if not isinstance(data, dict):
        raise exceptions.ParseError("The body must be a JSON object.")
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _depth(data) > DEEPEST:
        raise exceptions.ParseError(f"The body is nested deeper than {DEEPEST} levels.")
    # escaped, since a raw NUL is no JSON; PostgreSQL can keep neither
    if b"\\u0000" in raw and _has_nul(data):
        raise exceptions.ParseError("The body holds a NUL character (\\u0000), which cannot be kept.")
    if pointer := _repeated_name(raw):
        raise Invalid([FieldProblem(pointer, "duplicate_name", "stands more than once in its object")])
    return data


def _repeated_name(raw: bytes) -> str:
    """The JSON pointer to a name that its object has twice, or "": a parser would silently take the last one."""
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


def _depth(data: Any) -> int:
    level, depth = [data], 0
    while level:
        depth += 1
        inner = [list(item.values()) if isinstance(item, dict) else item for item in level]
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
    return depth


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
