"""The use cases of profiles."""

from __future__ import annotations

from django.db import connection

from apps.events.bus import publish
from apps.profiles.commands import CreateProfile, LookUpPerson, Person, RecordEnrichment
from apps.profiles.events import ProfileEnriched
from apps.profiles.people import People

# INSERT … SELECT from the users, held until the commit: a user deleted meanwhile means no row instead of an error
CREATE = """
    INSERT INTO profiles_profile (user_id, display_name, company, avatar_url)
    SELECT id, '', '', '' FROM users_user WHERE id = %s FOR KEY SHARE ON CONFLICT (user_id) DO NOTHING"""
ENRICH = """
    INSERT INTO profiles_profile AS p (user_id, display_name, company, avatar_url, enriched_at)
    SELECT id, %s, %s, %s, now() FROM users_user WHERE id = %s FOR KEY SHARE
    ON CONFLICT (user_id) DO UPDATE SET display_name = excluded.display_name, company = excluded.company,
        avatar_url = excluded.avatar_url, enriched_at = excluded.enriched_at
    RETURNING user_id"""


class ProfileService:
    """Handlers of the commands of profiles."""

    def __init__(self, people: People) -> None:
        self._people = people

    def create(self, command: CreateProfile) -> None:
        """Idempotent by the primary key."""
        with connection.cursor() as cursor:
            cursor.execute(CREATE, [command.user_id])

    def look_up(self, command: LookUpPerson) -> Person | None:
        """Waits for another machine, so no transaction is open."""
        return self._people.find(command.email)

    def record(self, command: RecordEnrichment) -> None:
        """Keep the answer and publish ProfileEnriched with it."""
        person = command.person
        with connection.cursor() as cursor:
            cursor.execute(ENRICH, [person.display_name, person.company, person.avatar_url, command.user_id])
            kept = cursor.fetchone() is not None
        if kept:
            publish(ProfileEnriched(command.user_id, person.display_name, person.company, person.avatar_url))
