"""The parts of profiles, and what answers their messages."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.cache import cache as django_cache

from apps.core.bus import Bus
from apps.core.parts import Parts
from apps.events.deliveries import LONGEST_WAIT_SECONDS
from apps.profiles import commands as profiles
from apps.profiles.cached_people import CachedPeople
from apps.profiles.directory import DirectoryRefused, Nobody, People, WhenAsked
from apps.profiles.known_people import KnownPeople
from apps.profiles.repositories import Profiles, SqlProfiles
from apps.profiles.services import ProfileService
from config.container import Container


class ProfileParts(Parts):
    """What profiles are made of; a part given to the constructor replaces the built one."""

    def __init__(self, container: Container, **given: Any) -> None:
        super().__init__(**given)
        self.container = container
        # shown before the first question, too
        self.breaker = container.breaker("people", DirectoryRefused)

    @cached_property
    def profiles(self) -> Profiles:
        """Where profiles are kept."""
        return SqlProfiles()

    @cached_property
    def people(self) -> People:
        """The people directory, if there is one."""
        if not self.container.env.external_api_url:
            return Nobody()
        return WhenAsked(self._people_client)

    def _people_client(self) -> People:
        # an HTTP client is half of the start of a process, and few need one
        from apps.profiles.people import PeopleClient  # noqa: PLC0415

        env = self.container.env
        client = PeopleClient(env.external_api_url, env.external_api_key, self.breaker, self.container.retry)
        return CachedPeople(client, self.known_people, patience=env.breaker_call_timeout)

    @cached_property
    def known_people(self) -> KnownPeople:
        """What the people directory answered before."""
        env = self.container.env
        # nobody who asks the directory has longer than a receiver has
        return KnownPeople(
            django_cache, (env.secret_key, *env.secret_key_fallbacks), env.redis_ttl, LONGEST_WAIT_SECONDS
        )

    def wire(self, bus: Bus) -> None:
        """Register the handlers."""
        service = ProfileService(self.profiles, self.people)
        bus.register(profiles.CreateProfiles, service.create)
        bus.register(profiles.LookUpPerson, service.look_up)
        bus.register(profiles.ForgetPerson, self.known_people.forget)
        bus.register(profiles.ForgetPeople, self.known_people.forget_all)
        bus.register(profiles.RecordEnrichment, service.record)


def wire(container: Container, bus: Bus) -> None:
    """Register the handlers."""
    ProfileParts(container).wire(bus)
