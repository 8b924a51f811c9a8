"""A user's profile as a version shows it that shows any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.api.conditional import etag
from apps.users.api import v1

EXAMPLE = {
    "display_name": "Ada Lovelace",
    "company": "Analytical Engines",
    "avatar_url": "https://people.example.com/ada.png",
    "enriched_at": "2026-11-24T09:00:01Z",
}
FIELDS = tuple(EXAMPLE)
# their names in apps/users/reads.py
SHOWN = tuple(f"profile_{name}" for name in FIELDS)


class ProfileV2(serializers.Serializer[Any]):
    """What the people directory knows of a user; empty until it has answered."""

    display_name = serializers.CharField(allow_blank=True)
    company = serializers.CharField(allow_blank=True)
    avatar_url = serializers.CharField(allow_blank=True)
    enriched_at = serializers.DateTimeField(allow_null=True)


class ShowsProfile(v1.UserV1):
    """A user with their profile."""

    @classmethod
    def represent(cls, row: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in super().represent(row).items() if name not in SHOWN}
        profile = {name: row[f"profile_{name}"] for name in FIELDS}
        return shown | {"profile": profile if has_profile(row) else None}

    @classmethod
    def tag(cls, row: Mapping[str, Any]) -> str:
        enriched_at = row["profile_enriched_at"]
        profile = int(enriched_at.timestamp() * 1_000_000) if enriched_at else int(has_profile(row))
        return etag(cls.version_name, row["id"], row["version"], profile)


def has_profile(row: Mapping[str, Any]) -> bool:
    """Whether the row's user has a profile yet: a receiver makes it."""
    return row["profile_display_name"] is not None
