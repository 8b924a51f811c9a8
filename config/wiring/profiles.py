"""What answers the messages of profiles."""

from __future__ import annotations

from apps.core.bus import Bus
from apps.profiles import commands as profiles
from apps.profiles.services import ProfileService
from config.container import Container


def wire(container: Container, bus: Bus) -> None:
    """Register the handlers."""
    service = ProfileService(container.profiles, container.people)
    bus.register(profiles.CreateProfiles, service.create)
    bus.register(profiles.LookUpPerson, service.look_up)
    bus.register(profiles.ForgetPerson, container.known_people.forget)
    bus.register(profiles.ForgetPeople, container.known_people.forget_all)
    bus.register(profiles.RecordEnrichment, service.record)
