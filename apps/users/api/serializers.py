"""What users look like from outside: one serializer a version, and the bodies that requests bring.

A version's representation is its field list: the query reads just these columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.conditional import etag
from apps.users.commands import UserSnapshot
from apps.users.models import EMAIL_LENGTH, NAME_LENGTH


@extend_schema_field(OpenApiTypes.EMAIL)
class EmailText(serializers.CharField):
    """An e-mail address; whether it is one decides apps/users/rules.py, for every entrance alike."""


class UserV1(serializers.Serializer[Any]):
    """A user in v1, which never changes."""

    id = serializers.IntegerField()
    email = EmailText()
    name = serializers.CharField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()

    version_name = "v1"
    columns: tuple[str, ...] = ("id", "email", "name", "is_active", "created_at")
    # what else the entity tag depends on
    tag_columns: tuple[str, ...] = ("version",)

    @classmethod
    def represent(cls, row: Mapping[str, Any]) -> dict[str, Any]:
        """The representation of a row with at least `columns`."""
        return {column: row[column] for column in cls.columns}

    @classmethod
    def tag(cls, row: Mapping[str, Any]) -> str:
        """The strong entity tag of the row's representation."""
        return etag(cls.version_name, row["id"], row["version"])


class ProfileV2(serializers.Serializer[Any]):
    """What the people directory knows of a user; empty until it has answered."""

    display_name = serializers.CharField(allow_blank=True)
    company = serializers.CharField(allow_blank=True)
    avatar_url = serializers.CharField(allow_blank=True)
    enriched_at = serializers.DateTimeField(allow_null=True)


PROFILE_COLUMNS = ("profile__display_name", "profile__company", "profile__avatar_url", "profile__enriched_at")


class UserV2(UserV1):
    """A user in v2: v1 and what came since."""

    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField()
    profile = ProfileV2(allow_null=True)

    version_name = "v2"
    columns = (*UserV1.columns, "updated_at", "version", *PROFILE_COLUMNS)
    tag_columns = ()

    @classmethod
    def represent(cls, row: Mapping[str, Any]) -> dict[str, Any]:
        shown = {name: row[name] for name in (*UserV1.columns, "updated_at", "version")}
        has_profile = row.get("profile__display_name") is not None
        profile = {name.removeprefix("profile__"): row[name] for name in PROFILE_COLUMNS} if has_profile else None
        return shown | {"profile": profile}

    @classmethod
    def tag(cls, row: Mapping[str, Any]) -> str:
        enriched_at = row.get("profile__enriched_at")
        has_profile = row.get("profile__display_name") is not None
        profile = int(enriched_at.timestamp() * 1_000_000) if enriched_at else int(has_profile)
        return etag(cls.version_name, row["id"], row["version"], profile)


USER: dict[str, type[UserV1]] = {"v1": UserV1, "v2": UserV2}


def as_row(user: UserSnapshot) -> dict[str, Any]:
    """A user fresh from a command as a row; its profile is made later, by a receiver."""
    return dict(vars(user))


class NewUser(serializers.Serializer[Any]):
    """The body of POST /users."""

    email = EmailText(max_length=EMAIL_LENGTH)
    name = serializers.CharField(max_length=NAME_LENGTH)
    password = serializers.CharField(required=False, max_length=128, trim_whitespace=False, write_only=True)


class UserChanges(serializers.Serializer[Any]):
    """The body of PATCH /users/{id}; `is_active` is for staff."""

    name = serializers.CharField(required=False, max_length=NAME_LENGTH)
    is_active = serializers.BooleanField(required=False)


class Credentials(serializers.Serializer[Any]):
    """The body of POST /auth/token."""

    email = EmailText(max_length=EMAIL_LENGTH)
    password = serializers.CharField(max_length=128, trim_whitespace=False)


class RefreshBody(serializers.Serializer[Any]):
    """The body of POST /auth/token/refresh."""

    refresh = serializers.CharField(max_length=512)


class TokenAnswer(serializers.Serializer[Any]):
    """A pair of tokens; `expires_in` is the access token's life in seconds."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField(default="Bearer")
    expires_in = serializers.IntegerField()


class UserPageV1(serializers.Serializer[Any]):
    """A page of users, newest first; `next` and `previous` are cursors."""

    results = UserV1(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class UserPageV2(UserPageV1):
    """A page of users in v2."""

    results = UserV2(many=True)


USER_PAGE: dict[str, type[UserPageV1]] = {"v1": UserPageV1, "v2": UserPageV2}
