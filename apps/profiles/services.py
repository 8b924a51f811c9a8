"""The use cases of profiles."""

from __future__ import annotations

from apps.events.bus import publish
from apps.profiles.commands import CreateProfiles, LookUpPerson, Person, RecordEnrichment
from apps.profiles.directory import People
from apps.profiles.events import ProfileEnriched
from apps.profiles.repositories import Profiles


class ProfileService:
    """Handlers of the commands of profiles."""

    def __init__(self, profiles: Profiles, people: People) -> None:
        self._profiles = profiles
        self._people = people

    def create(self, command: CreateProfiles) -> None:
        """Make the profiles, in one statement; idempotent, since a user has one at most."""
        self._profiles.create(command.user_ids)

    def look_up(self, command: LookUpPerson) -> Person | None:
        """Ask the directory; it is another machine, so no transaction is open."""
        return self._people.find(command.email)

    def record(self, command: RecordEnrichment) -> None:
        """Keep the answer and publish ProfileEnriched with it."""
        person = command.person
        if self._profiles.enrich(command.user_id, person):
            publish(ProfileEnriched(command.user_id, person.display_name, person.company, person.avatar_url))
