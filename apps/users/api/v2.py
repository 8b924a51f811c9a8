"""Users as v2 shows them: with what v1 lacks, and their version as a number."""

from __future__ import annotations

from rest_framework import serializers

from apps.core.api.components import example
from apps.users.api import v1
from apps.users.api.profile import EXAMPLE, SHOWN, ProfileV2, ShowsProfile

ADA = v1.ADA | {
    "updated_at": "2026-11-24T09:00:00Z",
    "version": 1,
    "email_verified_at": None,
    "profile": EXAMPLE,  # of profiles
}


@example(ADA)
class UserV2(ShowsProfile):
    """A user in v2: v1 and what came since."""

    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField()
    email_verified_at = serializers.DateTimeField(
        allow_null=True, help_text="When the user confirmed, by a link in a mail, that the address is theirs."
    )
    profile = ProfileV2(allow_null=True)

    version_name = "v2"
    shows = (
        *v1.UserV1.shows,
        "updated_at",
        "version",
        "email_verified_at",
        *SHOWN,  # of profiles
    )
    tagged_by = ()


@example({"results": [ADA], "next": "WzcsMV0:c2lnbmF0dXJl", "previous": None})
class UserPageV2(v1.UserPageV1):
    """A page of users in v2."""

    results = UserV2(many=True)


USER, PAGE = UserV2, UserPageV2
