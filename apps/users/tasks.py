"""Celery tasks of users."""

from __future__ import annotations

from apps.core.bus import bus
from apps.core.queue.work_queue import task
from apps.users.account_commands import PruneEmailChanges
from apps.users.commands import PruneSessions


@task("users.prune_sessions", queue="events", every=3600)
def prune_sessions() -> None:
    """Delete expired sessions, the admin's among them, old login counters, and settled changes of addresses."""
    bus.execute(PruneSessions())
    bus.execute(PruneEmailChanges())
