"""Fields of request bodies that take JSON's own types and nothing that merely looks like them.

DRF's fields come from HTML forms: its CharField makes a text of 123, its BooleanField a truth of "yes".
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class Text(serializers.CharField):
    """A JSON string."""

    def to_internal_value(self, data: Any) -> str:
        """`data`, trimmed unless told otherwise. Raises ValidationError for anything but a string."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """JSON's true or false."""

    def to_internal_value(self, data: Any) -> bool:
        """`data` itself. Raises ValidationError for anything but a boolean."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data
