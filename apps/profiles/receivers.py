"""What profiles do when a user registers, and when their address changes."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.bus import bus
from apps.events.bus import on
from apps.events.deliveries import Postponed
from apps.profiles.commands import CreateProfiles, ForgetPerson, LookUpPerson, RecordEnrichment
from apps.profiles.directory import DirectoryUnavailable
from apps.profiles.errors import CacheAway
from apps.users.events import EmailChanged, EmailChangeUndone, UserRegistered
from apps.users.queries import FindChangedEmails, IsThere

SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 3600.0
CACHE_WAIT_SECONDS = 30.0


@on(UserRegistered, many=True)
def create_profile(events: Sequence[UserRegistered]) -> None:
    """Make the profile of each new user, empty at first."""
    bus.execute(CreateProfiles(tuple(event.user_id for event in events)))


@on(UserRegistered, waits=True)
def enrich_profile(event: UserRegistered) -> RecordEnrichment | None:
    """Fill the profile from the people directory; while that is away, the delivery waits, without counting attempts."""
    if not bus.ask(IsThere(event.user_id)):
        # nobody is asked about a person who is gone
        return None
    try:
        person = bus.execute(LookUpPerson(event.email))
    except DirectoryUnavailable as error:
        seconds = min(max(error.retry_after, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
        raise Postponed(str(error), seconds) from error
    return RecordEnrichment(event.user_id, person) if person else None


@on(EmailChanged, waits=True)
def forget_changed_addresses(event: EmailChanged) -> None:
    """Have the cache forget what the directory said of both addresses; while the cache is away, the delivery waits."""
    _forget(event.change_id)


@on(EmailChangeUndone, waits=True)
def forget_undone_addresses(event: EmailChangeUndone) -> None:
    """The same, when the change is undone."""
    _forget(event.change_id)


def _forget(change_id: int) -> None:
    try:
        for email in bus.ask(FindChangedEmails(change_id)):
            bus.execute(ForgetPerson(email))
    except CacheAway as error:
        raise Postponed(str(error), CACHE_WAIT_SECONDS) from error
