"""Celery tasks of webhooks. A wake-up says only "there is work": what to send stands in PostgreSQL."""

from __future__ import annotations

from apps.core.bus import bus
from apps.core.queue.work_queue import due_in, task
from apps.webhooks.commands import PruneDeliveries, SendDue
from apps.webhooks.repositories import DUE


@task("webhooks.send", queue="webhooks", due=due_in("webhooks_webhookdelivery", *DUE))
def send() -> None:
    """Send the deliveries that are due."""
    bus.execute(SendDue())


@task("webhooks.prune", queue="webhooks", every=3600)
def prune() -> None:
    """Delete deliveries that were settled long ago."""
    bus.execute(PruneDeliveries())
