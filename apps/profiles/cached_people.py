"""The people directory behind a cache: the same question is asked once, by one caller, and again when it is old.

A decorator around any `People`: it has their method, and adds to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from prometheus_client import Counter

from apps.profiles.commands import Person
from apps.profiles.directory import DirectoryUnavailable, People
from apps.profiles.known_people import Known, KnownPeople

log = structlog.get_logger("people")
POLL_SECONDS = 0.05
LOOKUPS = Counter("people_lookups_total", "Look-ups of a person, by what answered them", ["answered_by"])
# an answer that was asked for with it is not kept
NO_CLAIM = ""
CACHE, DIRECTORY, STALE, NOTHING = "cache", "directory", "stale", "nothing"
for answered_by in (CACHE, DIRECTORY, STALE, NOTHING):
    LOOKUPS.labels(answered_by)


class CachedPeople:
    """`people`, but for what is `known`; who finds another caller asking waits up to `patience` seconds for them.

    After that it takes what is known, however old, or asks as well."""

    def __init__(
        self, people: People, known: KnownPeople, *, patience: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._people = people
        self._known = known
        self._patience = patience
        self._sleep = sleep

    def find(self, address: str) -> Person | None:
        """The person with this e-mail; None if there is none.

        If the directory cannot answer now, what it said up to a day ago. Raises DirectoryUnavailable, DirectoryRefused.
        """
        until = time.monotonic() + self._patience
        while True:
            known = self._known.recall(address)
            if known and known.fresh:
                return self._answer(known.person, CACHE)
            if token := self._known.claim(address):
                try:
                    return self._ask(address, token)
                finally:
                    self._known.release(address, token)
            if time.monotonic() >= until:
                # whoever has the claim may have died with it
                late = DirectoryUnavailable("another caller is still asking the directory", 1.0)
                return self._stand_in(known, late) if known and known.person else self._ask(address, NO_CLAIM)
            self._sleep(POLL_SECONDS)

    def _ask(self, address: str, token: str) -> Person | None:
        # the caller who had the claim before may have been answered since this one looked
        known = self._known.recall(address)
        if known and known.fresh:
            return self._answer(known.person, CACHE)
        try:
            person = self._people.find(address)
        except DirectoryUnavailable as error:
            return self._stand_in(known, error)
        self._known.keep(address, person, token)
        return self._answer(person, DIRECTORY)

    def _stand_in(self, known: Known | None, error: DirectoryUnavailable) -> Person | None:
        """What is known of a person, though it is not fresh. Raises `error` if nothing is, or only that nobody was."""
        if known is None or known.person is None:
            LOOKUPS.labels(NOTHING).inc()
            raise error
        log.warning("people_answer_stale", reason=str(error))
        return self._answer(known.person, STALE)

    def _answer(self, person: Person | None, answered_by: str) -> Person | None:
        LOOKUPS.labels(answered_by).inc()
        return person
