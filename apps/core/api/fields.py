"""Request bodies as JSON objects: members by name, of JSON's own types and nothing that merely looks like them.

DRF's fields come from HTML forms: its CharField turns 123 into a text, its BooleanField "yes" into true, and a member
that no field knows is ignored, so that a typo changes nothing and is answered 200.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import SkipField

from apps.core.errors import FieldProblem, Invalid
from apps.core.http.problems import flatten

# beyond it a double no longer tells neighbouring integers apart (RFC 7493, section 2.2)
EXACT = 2**53
SMALLEST, LARGEST = -(2**63), 2**63 - 1


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


class Integer(serializers.IntegerField):
    """A JSON number without a fraction, however it is written: 1161, 1161.0 and 1.161e3 are one (RFC 8259, section 6).

    `min_value` and `max_value` are by default what a bigint column holds.
    """

    def __init__(self, *, min_value: int = SMALLEST, max_value: int = LARGEST, **kwargs: Any) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        """`data` as an int. Raises ValidationError for what is not a number, or has a fraction."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        if isinstance(data, int):
            return data
        if not data.is_integer():
            self.fail("invalid")
        # past 2**53 the double may not be the number that was written; past a bigint the bounds refuse it anyway
        if abs(data) > EXACT and SMALLEST <= data <= LARGEST:
            self.fail("invalid")
        return int(data)


class Body(serializers.Serializer[Any]):
    """A JSON object that has the members its fields say, and no others; all its problems are reported at once.

    `rules` adds what the domain has against values that are right by themselves. DRF's own hooks are not called.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hooks = [name for name in vars(cls) if name == "validate" or name.startswith("validate_")]
        if hooks:
            raise TypeError(f"{cls.__name__}.{hooks[0]} is never called; say it in rules().")

    def check(self, data: Any) -> dict[str, Any]:
        """The values of `data`. Raises Invalid with all that is wrong, by JSON pointers."""
        values, errors = self._read(data)
        problems = [*flatten(errors), *self.rules(values)]
        if problems:
            raise Invalid(problems)
        return values

    def rules(self, values: Mapping[str, Any]) -> list[FieldProblem]:
        """What the domain has against `values`; those that already have an error are left out."""
        return []

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The values of an object inside another. Raises ValidationError with all that is wrong."""
        values, errors = self._read(data)
        if errors:
            raise ValidationError(errors)
        return values

    def _read(self, data: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if not isinstance(data, Mapping):
            return {}, {"non_field_errors": [ErrorDetail("Must be an object.", "invalid")]}
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        known = {str(field.field_name): field for field in self._writable_fields}
        for name, field in known.items():
            try:
                values[name] = field.run_validation(field.get_value(data))
            except ValidationError as error:
                errors[name] = error.detail
            except SkipField:
                continue
        for name in data:
            if name not in known:
                detail = f"There is no such member; there is {', '.join(known) or 'none'}."
                errors[name] = [ErrorDetail(detail, "unknown")]
        return values, errors


@cache
def checker(body: type[Body]) -> Body:
    """The one instance that checks bodies: making one copies its fields, and checking keeps no state."""
    return body()
