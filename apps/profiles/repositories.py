"""The profiles' repository: the Protocol that the service owns, and its implementation in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from django.db import connection

from apps.profiles.commands import Person
from apps.users.queries import HELD_USER, HELD_USERS

CREATE = f"""
    WITH held AS ({HELD_USERS})
    INSERT INTO profiles_profile (user_id, display_name, company, avatar_url)
    SELECT id, '', '', '' FROM held ON CONFLICT (user_id) DO NOTHING"""  # noqa: S608 - a constant
ENRICH = f"""
    WITH held AS ({HELD_USER})
    INSERT INTO profiles_profile (user_id, display_name, company, avatar_url, enriched_at)
    SELECT id, %(display_name)s, %(company)s, %(avatar_url)s, now() FROM held
    ON CONFLICT (user_id) DO UPDATE SET display_name = excluded.display_name, company = excluded.company,
        avatar_url = excluded.avatar_url, enriched_at = excluded.enriched_at
    RETURNING user_id"""  # noqa: S608 - a constant


class Profiles(Protocol):
    """Where profiles are kept."""

    def create(self, user_ids: Sequence[int]) -> None:
        """Keep an empty profile of each; nothing happens for a user who has one or is gone."""
        ...

    def enrich(self, user_id: int, person: Person) -> bool:
        """Keep what the directory said; False, and nothing is kept, if the user is gone."""
        ...


class SqlProfiles:
    """Profiles in PostgreSQL; each verb is one statement."""

    def create(self, user_ids: Sequence[int]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(CREATE, {"user_ids": list(user_ids)})

    def enrich(self, user_id: int, person: Person) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(ENRICH, {"user_id": user_id, **vars(person)})
            return cursor.fetchone() is not None
