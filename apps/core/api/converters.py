"""Converters for routes."""

from __future__ import annotations

from django.urls.converters import UUIDConverter


class Key:
    """An integer key that a bigint column can hold; anything else is no such route, hence 404."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class Uuid(UUIDConverter):
    """A UUID in either letter case (RFC 9562, section 4); Django's own converter takes lower case alone."""

    regex = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
