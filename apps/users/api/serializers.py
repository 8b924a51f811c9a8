"""What users look like from outside: one serializer a version, and the bodies that requests bring.

A version's representation is its field list: the query reads just these columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.components import example
from apps.core.api.conditional import etag
from apps.core.api.fields import Flag, Text
from apps.users import rules
from apps.users.commands import UserSnapshot
from apps.users.models import EMAIL_LENGTH, NAME_LENGTH

PASSWORD_LENGTH = 128
# the fewest characters and "not only digits" are validators of AUTH_PASSWORD_VALIDATORS; common ones it refuses too
NEW_PASSWORD = {
    "type": "string",
    "format": "password",
    "maxLength": PASSWORD_LENGTH,
    "pattern": r"^(?=[^\u0000]*[^0-9\u0000])[^\u0000]{8,}$",
    "writeOnly": True,
}


ADA_V1 = {
    "id": 7,
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "is_active": True,
    "created_at": "2026-11-24T09:00:00Z",
}
ADA_V2 = ADA_V1 | {
    "updated_at": "2026-11-24T09:00:00Z",
    "version": 1,
    "profile": {
        "display_name": "Ada Lovelace",
        "company": "Analytical Engines",
        "avatar_url": "https://people.example.com/ada.png",
        "enriched_at": "2026-11-24T09:00:01Z",
    },
}


@extend_schema_field(OpenApiTypes.EMAIL)
class EmailText(serializers.CharField):
    """An e-mail address in an answer."""


@extend_schema_field({"type": "string", "format": "email", "maxLength": EMAIL_LENGTH})
class EmailGiven(Text):
    """An e-mail address in a body; whether it is one decides apps/users/rules.py, for every entrance alike."""


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": NAME_LENGTH, "pattern": rules.NAME})
class NameGiven(Text):
    """A name in a body; apps/users/rules.py decides."""


@extend_schema_field(NEW_PASSWORD)
class NewPassword(Text):
    """A password to be; AUTH_PASSWORD_VALIDATORS decide."""


@example(ADA_V1)
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


@example(ADA_V2)
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


@example({"email": "ada@example.com", "name": "Ada Lovelace", "password": "correct horse battery"})
class NewUser(serializers.Serializer[Any]):
    """The body of POST /users."""

    email = EmailGiven()
    name = NameGiven(trim_whitespace=False)
    password = NewPassword(required=False, max_length=PASSWORD_LENGTH, trim_whitespace=False)


@example({"name": "Ada King"})
class UserChanges(serializers.Serializer[Any]):
    """The body of PATCH /users/{id}; `is_active` is for staff."""

    name = NameGiven(required=False, trim_whitespace=False)
    is_active = Flag(required=False)


@example({"email": "ada@example.com", "password": "correct horse battery"})
class Credentials(serializers.Serializer[Any]):
    """The body of POST /auth/token."""

    email = Text(max_length=EMAIL_LENGTH, trim_whitespace=False)
    password = Text(max_length=PASSWORD_LENGTH, trim_whitespace=False)


@example({"refresh": "vS2n4pXyq1k0dH7m"})
class RefreshBody(serializers.Serializer[Any]):
    """The body of POST /auth/token/refresh."""

    refresh = Text(max_length=512, trim_whitespace=False)


@example(
    {
        "access": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
        "refresh": "vS2n4pXyq1k0dH7m",
        "token_type": "Bearer",
        "expires_in": 1800,
    }
)
class TokenAnswer(serializers.Serializer[Any]):
    """A pair of tokens; `expires_in` is the access token's life in seconds."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField(default="Bearer")
    expires_in = serializers.IntegerField()


@example({"results": [ADA_V1], "next": "WzcsMV0:c2lnbmF0dXJl", "previous": None})
class UserPageV1(serializers.Serializer[Any]):
    """A page of users, newest first; `next` and `previous` are cursors."""

    results = UserV1(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


@example({"results": [ADA_V2], "next": "WzcsMV0:c2lnbmF0dXJl", "previous": None})
class UserPageV2(UserPageV1):
    """A page of users in v2."""

    results = UserV2(many=True)


USER_PAGE: dict[str, type[UserPageV1]] = {"v1": UserPageV1, "v2": UserPageV2}
