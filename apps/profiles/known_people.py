"""What the people directory answered before, in Django's cache: as good as new for REDIS_TTL, a stand-in a day more.

For each address there are three keys, which the cache ends by its own clock: the answer, a mark that it is fresh, and
the claim of the one caller who is asking. Keys are digests under SECRET_KEY, so they tell no address. The cache may be
wiped, full, frozen or away: then nothing is known and every claim is granted, so each caller asks by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from django.core.cache.backends.base import BaseCache
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError

from apps.profiles.commands import ForgetPeople, ForgetPerson, Person
from apps.profiles.errors import CacheAway

PREFIX = "people"
# how long an answer stands in for one that the directory cannot give now
STALE_SECONDS = 24 * 3600
# "nobody there" ends an enrichment for good: who was added to the directory just now must not wait an hour for it
NOBODY_SECONDS = 60
# of UTF-8; the client's own answers have 9,600 at most
LARGEST_BYTES = 10_000
BATCH = 500


class Known(NamedTuple):
    """An answer of the directory: a person or nobody, and whether it is as good as asking."""

    person: Person | None
    fresh: bool


class Keys(NamedTuple):
    """The keys of one address."""

    answer: str
    fresh: str
    claim: str


class KnownPeople:
    """Keeps answers for `ttl` seconds, claims for `lease`; `secrets` are SECRET_KEY and the earlier ones."""

    def __init__(self, cache: BaseCache, secrets: Sequence[str], ttl: int, lease: float) -> None:
        self._cache: Any = cache
        self._secrets = secrets
        self._ttl = ttl
        self._lease = lease

    def recall(self, address: str) -> Known | None:
        """What was answered for `address`; None if that is not known, or makes no sense."""
        answer, fresh, _ = _keys(address, self._secrets[0])
        try:
            found = self._cache.get_many([answer, fresh])
        except ValueError:  # somebody else's writing
            return None
        match found.get(answer):
            case []:
                return Known(None, fresh in found)
            case [str(display_name), str(company), str(avatar_url)]:
                return Known(Person(display_name, company, avatar_url), fresh in found)
        return None

    def claim(self, address: str) -> str | None:
        """A token for the one who may ask for `address`; None while somebody else has it. Ends with the lease."""
        token = uuid.uuid4().hex
        granted = self._cache.add(_keys(address, self._secrets[0]).claim, token, self._lease)
        # None: the cache is away
        return None if granted is False else token

    def keep(self, address: str, person: Person | None, token: str) -> None:
        """Keep the answer that the holder of `token` was given, unless the claim was lost: then it may be outdated."""
        keys = _keys(address, self._secrets[0])
        value = [] if person is None else [person.display_name, person.company, person.avatar_url]
        if sum(len(text.encode()) for text in value) > LARGEST_BYTES:
            return
        fresh_for = self._ttl if person else min(self._ttl, NOBODY_SECONDS)
        self._cache.set(keys.answer, value, fresh_for + (STALE_SECONDS if person else 0))
        # after the writing: whoever forgets this address takes the claim away first, or finds the answer
        if self._cache.get(keys.claim) == token:
            self._cache.set(keys.fresh, 1, fresh_for)
        else:
            self._cache.delete(keys.answer)

    def release(self, address: str, token: str) -> None:
        """Give the claim back."""
        claim = _keys(address, self._secrets[0]).claim
        if self._cache.get(claim) == token:
            self._cache.delete(claim)

    def forget(self, command: ForgetPerson) -> bool:
        """Forget one address, also what was kept under an earlier SECRET_KEY. Raises CacheAway."""
        keys = [key for secret in self._secrets for key in _keys(command.email, secret)]
        deleted = self._cache.delete_many(keys)
        if deleted is None:
            raise CacheAway
        return bool(deleted)

    def forget_all(self, command: ForgetPeople) -> int:
        """Forget every address, in small steps; answers how many keys that were. Raises CacheAway."""
        forgotten = 0
        found: Iterator[str] = self._cache.iter_keys(f"{PREFIX}:*", itersize=BATCH)
        try:
            while batch := list(islice(found, BATCH)):
                deleted = self._cache.delete_many(batch)
                if deleted is None:
                    raise CacheAway
                forgotten += deleted
        except RedisError as error:
            raise CacheAway from error
        return forgotten


def _keys(address: str, secret: str) -> Keys:
    digest = salted_hmac(PREFIX, address.lower(), secret=secret, algorithm="sha256").hexdigest()
    return Keys(*(f"{PREFIX}:{digest}:{kind}" for kind in Keys._fields))
