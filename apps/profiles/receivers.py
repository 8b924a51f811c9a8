"""What profiles do when a user registers."""

from __future__ import annotations

from apps.core.bus import bus
from apps.events.bus import on
from apps.events.deliveries import Postponed
from apps.profiles.commands import CreateProfile, LookUpPerson, RecordEnrichment
from apps.profiles.directory import DirectoryUnavailable
from apps.users.events import UserRegistered

SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 3600.0


@on(UserRegistered)
def create_profile(event: UserRegistered) -> None:
    """Make the profile of a new user, empty at first."""
    bus.execute(CreateProfile(event.user_id))


@on(UserRegistered, waits=True)
def enrich_profile(event: UserRegistered) -> RecordEnrichment | None:
    """Fill the profile from the people directory; while that is away, the delivery waits, without counting attempts."""
    try:
        person = bus.execute(LookUpPerson(event.email))
    except DirectoryUnavailable as error:
        seconds = min(max(error.retry_after, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
        raise Postponed(str(error), seconds) from error
    return RecordEnrichment(event.user_id, person) if person else None
