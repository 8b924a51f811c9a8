"""Users as v1 shows them; it never changes.

A version's representation is its list of fields (names in apps/users/reads.py): the query reads just these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.components import Id, Page, example
from apps.core.api.conditional import etag

ADA = {
    "id": 7,
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "is_active": True,
    "created_at": "2026-11-24T09:00:00Z",
}


@extend_schema_field(OpenApiTypes.EMAIL)
class EmailText(serializers.CharField):
    """An e-mail address in an answer."""


@example(ADA)
class UserV1(serializers.Serializer[Any]):
    """A user in v1."""

    id = Id()
    email = EmailText()
    name = serializers.CharField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()

    version_name = "v1"
    shows: tuple[str, ...] = ("id", "email", "name", "is_active", "created_at")
    # what else the entity tag depends on
    tagged_by: tuple[str, ...] = ("version",)

    @classmethod
    def represent(cls, row: dict[str, Any]) -> dict[str, Any]:
        """The representation of a row with at least the fields that `shows` names: itself, if it has no more."""
        # as one that was read for a list
        return row if len(row) == len(cls.shows) else {name: row[name] for name in cls.shows}

    @classmethod
    def tag(cls, row: Mapping[str, Any]) -> str:
        """The strong entity tag of the representation of a row with the fields of `shows` and `tagged_by`."""
        return etag(cls.version_name, row["id"], row["version"])


@example({"results": [ADA], "next": "WzcsMV0:c2lnbmF0dXJl", "previous": None})
class UserPageV1(Page):
    """A page of users, newest first."""

    results = UserV1(many=True)


USER, PAGE = UserV1, UserPageV1
