"""Celery tasks of webhooks. A message says only "there is work": what to send stands in PostgreSQL."""

from __future__ import annotations

from celery import shared_task

from apps.core.bus import bus
from apps.webhooks.commands import PruneDeliveries, SendDue


@shared_task(name="webhooks.send")
def send() -> None:
    """Send what is due."""
    bus.execute(SendDue())


@shared_task(name="webhooks.prune")
def prune() -> None:
    """Delete deliveries that were settled long ago."""
    bus.execute(PruneDeliveries())
