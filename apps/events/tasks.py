"""Celery tasks of the event bus. A wake-up says only "there is work": what to do stands in PostgreSQL."""

from __future__ import annotations

from django.conf import settings

from apps.core.bus import bus
from apps.core.mail import kept_connections
from apps.core.queue.work_queue import due_in, task
from apps.events import deliveries
from apps.events.commands import PruneEvents
from apps.events.lines import DIRECT, WAITING

# ends well within the soft time limit and lets other wake-ups have their turn
DRAIN_SECONDS = 10


@task("events.deliver", queue="events", due=due_in("events_delivery", *DIRECT))
def deliver() -> None:
    """Run the receivers that only write to the database."""
    deliveries.work(seconds=DRAIN_SECONDS)


@task("events.deliver_waiting", queue="io", due=due_in("events_delivery", *WAITING))
def deliver_waiting() -> None:
    """Run the receivers that wait for other machines."""
    with kept_connections():
        deliveries.work_waiting(seconds=DRAIN_SECONDS, threads=settings.WAITING_THREADS)


@task("events.prune", queue="events", every=3600)
def prune() -> None:
    """Delete what is finished and older than EVENT_RETENTION_DAYS, and the rest after UNDELIVERED_RETENTION_DAYS."""
    bus.execute(PruneEvents())
