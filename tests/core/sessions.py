"""A session that PostgreSQL ends."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection, transaction


def ended_by_postgresql(message: object) -> Any:
    """A handler that is idle in a transaction until PostgreSQL ends its session, and then asks something."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '1ms'")
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as watcher:
            while watcher.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
                watcher.rollback()
        cursor.execute("SELECT 1")
