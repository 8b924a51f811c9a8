"""Converters for routes, there for every app: `<key:user_id>` and `<any_case_uuid:task_id>`."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import UUIDConverter


class Key:
    """An integer key that a bigint column can hold; any other text matches no route, hence 404."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class Uuid(UUIDConverter):
    """A UUID in either letter case (RFC 9562, section 4); Django's own converter takes only lower case."""

    regex = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


register_converter(Key, "key")
register_converter(Uuid, "any_case_uuid")
