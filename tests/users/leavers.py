"""Somebody who leaves, and the worker that erases them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from apps.core.bus import bus
from apps.events.models import OutboxEvent
from apps.users.commands import EraseNext, UserSnapshot
from apps.users.models import Erasure
from tests.conftest import PASSWORD

ME = "/api/v1/users/me"
LEAVING = {"password": PASSWORD}
EMAIL = "zoe.quill+x@example.com"


def work(passes: int = 1) -> None:
    """Erase as a worker does, with the time between the passes gone by."""
    for number in range(passes):
        if number:
            Erasure.objects.update(due_at=Now() - timedelta(seconds=1))
        while bus.execute(EraseNext()):
            pass


def about(user: UserSnapshot) -> list[dict[str, Any]]:
    """What the events about a user say, the oldest first."""
    return list(OutboxEvent.objects.filter(aggregate=f"user:{user.id}").order_by("id").values_list("data", flat=True))
