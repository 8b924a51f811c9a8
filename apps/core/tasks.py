"""Celery tasks of what has no domain."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.conf import settings

from apps.core.api import idempotency
from apps.core.backoffice import log as admin_log


@shared_task(name="core.prune")
def prune() -> None:
    """Delete answers to Idempotency-Keys that are older than a day, and old entries of the admin's log."""
    idempotency.prune()
    admin_log.prune(timedelta(days=settings.ADMIN_LOG_RETENTION_DAYS))
