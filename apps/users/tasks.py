"""Celery tasks of users."""

from __future__ import annotations

import time

from apps.core.bus import bus
from apps.core.queue.work_queue import due_in, task
from apps.users.account_commands import PruneEmailChanges
from apps.users.commands import EraseNext, PruneSessions

# ends well within the soft time limit
DRAIN_SECONDS = 30


@task("users.prune_sessions", queue="events", every=3600)
def prune_sessions() -> None:
    """Delete expired sessions, the admin's among them, old login counters, and settled changes of addresses."""
    bus.execute(PruneSessions())
    bus.execute(PruneEmailChanges())


@task("users.erase", queue="jobs", due=due_in("users_erasure"))
def erase() -> None:
    """Go on with erasing people who were deleted."""
    until = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < until and bus.execute(EraseNext()):
        pass
