"""Celery tasks of what has no domain."""

from __future__ import annotations

from celery import shared_task

from apps.core.api import idempotency


@shared_task(name="core.prune")
def prune() -> None:
    """Delete answers to Idempotency-Keys that are older than a day."""
    idempotency.prune()
