"""Users as v2 shows them: with their profile, and their version as a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.api.components import example
from apps.core.api.conditional import etag
from apps.users.api import v1

ADA = v1.ADA | {
    "updated_at": "2026-11-24T09:00:00Z",
    "version": 1,
    "email_verified_at": None,
    "profile": {
        "display_name": "Ada Lovelace",
        "company": "Analytical Engines",
        "avatar_url": "https://people.example.com/ada.png",
        "enriched_at": "2026-11-24T09:00:01Z",
    },
}


class ProfileV2(serializers.Serializer[Any]):
    """What the people directory knows of a user; empty until it has answered."""

    display_name = serializers.CharField(allow_blank=True)
    company = serializers.CharField(allow_blank=True)
    avatar_url = serializers.CharField(allow_blank=True)
    enriched_at = serializers.DateTimeField(allow_null=True)


PROFILE = ("display_name", "company", "avatar_url", "enriched_at")


@example(ADA)
class UserV2(v1.UserV1):
    """A user in v2: v1 and what came since."""

    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField()
    email_verified_at = serializers.DateTimeField(
        allow_null=True, help_text="When the user confirmed, by a link in a mail, that the address is theirs."
    )
    profile = ProfileV2(allow_null=True)

    version_name = "v2"
    own = (*v1.UserV1.shows, "updated_at", "version", "email_verified_at")
    shows = (*own, *(f"profile_{name}" for name in PROFILE))
    tagged_by = ()

    @classmethod
    def represent(cls, row: Mapping[str, Any]) -> dict[str, Any]:
        shown = {name: row[name] for name in cls.own}
        profile = {name: row[f"profile_{name}"] for name in PROFILE}
        return shown | {"profile": profile if has_profile(row) else None}

    @classmethod
    def tag(cls, row: Mapping[str, Any]) -> str:
        enriched_at = row["profile_enriched_at"]
        profile = int(enriched_at.timestamp() * 1_000_000) if enriched_at else int(has_profile(row))
        return etag(cls.version_name, row["id"], row["version"], profile)


def has_profile(row: Mapping[str, Any]) -> bool:
    """Whether the row's user has a profile yet: a receiver makes it."""
    return row["profile_display_name"] is not None


@example({"results": [ADA], "next": "WzcsMV0:c2lnbmF0dXJl", "previous": None})
class UserPageV2(v1.UserPageV1):
    """A page of users in v2."""

    results = UserV2(many=True)


USER, PAGE = UserV2, UserPageV2
