"""Commands: what can be done to profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from apps.core.bus import Command


@dataclass(frozen=True)
class Person:
    """A person as the people directory describes them."""

    display_name: str
    company: str
    avatar_url: str


@dataclass(frozen=True)
class CreateProfiles(Command[None]):
    """Make the empty profiles of users; nothing happens for one who has it or is gone."""

    user_ids: tuple[int, ...]


@dataclass(frozen=True)
class LookUpPerson(Command["Person | None"]):
    """Ask the people directory; None if it knows nobody with this e-mail, or no directory is configured.

    Its answers are kept for REDIS_TTL, and up to a day longer for while it is away. Refused with DirectoryUnavailable,
    after retries, if it cannot answer now and nothing is kept.
    """

    atomic: ClassVar[bool] = False
    email: str


@dataclass(frozen=True)
class ForgetPerson(Command[bool]):
    """Forget what the directory said of this e-mail; answers whether anything was known. Refused with CacheAway."""

    atomic: ClassVar[bool] = False
    email: str


@dataclass(frozen=True)
class ForgetPeople(Command[int]):
    """Forget all that the directory said; answers how many keys of the cache that were. Refused with CacheAway."""

    atomic: ClassVar[bool] = False


@dataclass(frozen=True)
class RecordEnrichment(Command[None]):
    """Keep what the directory said, and say that the profile is enriched; nothing happens if the user is gone."""

    user_id: int
    person: Person
