"""Event bus, naive: handlers in memory, called after the commit, in the process that made the change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.mail import EmailMessage
from django.db import transaction

from apps.profiles.models import Profile
from apps.users.models import User


class EventBus:
    """Calls the handlers of an event."""

    def __init__(self) -> None:
        self._subscribers: dict[type, list[Callable[[Any], object]]] = defaultdict(list)

    def subscribe(self, event_type: type, handler: Callable[[Any], object]) -> None:
        self._subscribers[event_type].append(handler)

    def publish(self, event: object) -> None:
        for handler in self._subscribers[type(event)]:
            handler(event)


@dataclass(frozen=True)
class UserCreated:
    """A user was made."""

    user_id: int
    email: str


def send_welcome_email(event: UserCreated) -> None:
    EmailMessage("Welcome", "Your account is ready.", to=[event.email]).send()


event_bus = EventBus()
event_bus.subscribe(UserCreated, send_welcome_email)
event_bus.subscribe(UserCreated, lambda event: Profile.objects.create(user_id=event.user_id))  # of profiles


def register(email: str, name: str) -> None:
    with transaction.atomic():
        user = User.objects.create(email=email, name=name, password="!")  # noqa: S106
        transaction.on_commit(lambda: event_bus.publish(UserCreated(user.id, user.email)))
