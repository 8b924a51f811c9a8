"""What profiles keep about a person: the profile, which goes with the user, and what the directory said of them."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.bus import bus
from apps.core.personal import Holding, Person, Row, hold
from apps.profiles.commands import ForgetPerson
from apps.profiles.models import Profile


def tell_profile(person: Person) -> Iterator[Row]:
    """The profile."""
    fields = ("display_name", "company", "avatar_url", "created_at", "enriched_at")
    yield from Profile.objects.filter(user_id=person.user_id).values(*fields)


def forget_answer(person: Person, after: str) -> None:
    """Have the cache forget what the directory said. Raises CacheAway."""
    for email in person.emails:
        bus.execute(ForgetPerson(email))


hold(Holding("profile", tell=tell_profile))
hold(Holding("directory_answer", step=forget_answer, waits=True))
