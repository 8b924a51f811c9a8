"""Converters for routes."""

from __future__ import annotations


class Key:
    """An integer key that a bigint column can hold; anything else is no such route, hence 404."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)
