"""Request bodies: JSON objects, checked before anything else looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework import exceptions
from rest_framework.parsers import BaseParser

from apps.core.api.strict_json import repeated_name
from apps.core.errors import FieldProblem, Invalid

DEEPEST = 100
PIECE_BYTES = 1024 * 1024


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
        raw = b"".join(pieces(stream, limit, int(declared) if declared.isdigit() else 0))
        return read_object(raw)


def pieces(stream: Any, limit: int, declared: int = 0) -> Iterator[bytes]:
    """A body of up to `limit` bytes in pieces of a mebibyte. Raises ContentTooLarge past the limit.

    Raises ParseError where it ends before the `declared` length: the client went away, and half a body is none
    (RFC 9112, section 8).
    """
    read = 0
    while piece := stream.read(PIECE_BYTES):
        read += len(piece)
        if read > limit:
            raise ContentTooLarge(limit)
        yield piece
    if read < declared:
        raise exceptions.ParseError(f"The body ended after {read} of the {declared} bytes that Content-Length names.")


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
    if pointer := repeated_name(raw):
        raise Invalid([FieldProblem(pointer, "duplicate_name", "stands more than once in its object")])
    return data


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
