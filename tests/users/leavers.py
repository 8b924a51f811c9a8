"""Somebody who leaves, and the worker that erases them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events.models import OutboxEvent
from apps.users.commands import EraseNext, UserSnapshot
from apps.users.letters import WriteChange
from apps.users.models import EmailChange, Erasure
from tests.conftest import PASSWORD

ME = "/api/v1/users/me"
LEAVING = {"password": PASSWORD}
EMAIL = "zoe.quill+x@example.com"


def move(as_zoe: APIClient, anyone: APIClient) -> None:
    """She goes from one address to the next, and of her earlier change nothing but events tells."""
    for now, then in ((EMAIL, "zoe.moved@example.com"), ("zoe.moved@example.com", "zoe.last@example.com")):
        given = {"email": then, "password": PASSWORD}
        assert as_zoe.post("/api/v1/auth/email", given).status_code == 202
        change = EmailChange.objects.get(old_email=now)
        link = bus.ask(WriteChange(change.pk))
        assert link
        token = link.link.rpartition("token=")[2] if "token=" in link.link else re.split(r"[/#]", link.link)[-1]
        assert anyone.post("/api/v1/auth/email-verification", {"token": token}).status_code == 204
    EmailChange.objects.filter(old_email=EMAIL).delete()
    for email in (EMAIL, "zoe.last@example.com"):
        assert anyone.post("/api/v1/auth/password-reset", {"email": email}).status_code == 202


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
