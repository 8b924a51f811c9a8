"""Celery tasks of users."""

from __future__ import annotations

from celery import shared_task

from apps.core.bus import bus
from apps.users.commands import PruneSessions


@shared_task(name="users.prune_sessions")
def prune_sessions() -> None:
    """Delete expired sessions, the admin's among them, and old login counters."""
    bus.execute(PruneSessions())
