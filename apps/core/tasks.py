"""Celery tasks that belong to no domain."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from apps.core.api import idempotency
from apps.core.backoffice import log as admin_log
from apps.core.queue.work_queue import task


@task("core.prune", queue="events", every=3600)
def prune() -> None:
    """Delete answers to Idempotency-Keys that are older than a day, and old entries of the admin's log."""
    idempotency.prune()
    admin_log.prune(timedelta(days=settings.ADMIN_LOG_RETENTION_DAYS))
