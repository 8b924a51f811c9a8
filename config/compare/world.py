"""The throwaway services as an experiment finds them: empty."""

from __future__ import annotations

import redis
from django.conf import settings
from django.db import connection

TABLES = "users_user, events_outboxevent, events_delivery"


def fresh() -> None:
    """Empty the database and Valkey."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLES} CASCADE")
    with valkey() as server:
        server.flushall()


def valkey() -> redis.Redis:
    """A plain client, patient."""
    return redis.Redis.from_url(settings.ENV.redis_url)
