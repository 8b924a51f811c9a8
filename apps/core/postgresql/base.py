"""Django's PostgreSQL backend, with two changes.

A pooled connection that the server has closed is noticed without asking the server: a look at the socket costs
microseconds, psycopg's own check a round trip, and when all connections die at once that check backs off for seconds.
And where the time zone is UTC, times are read by psycopg's loader in C instead of Django's in Python.
"""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection
from psycopg.types.datetime import TimestamptzLoader


class DatabaseWrapper(base.DatabaseWrapper):
    """A database connection; from the pool it comes alive or not at all."""

    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        if self._in_utc:
            parameters["context"].adapters.register_loader("timestamptz", TimestamptzLoader)
        return parameters

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        while self.pool and not is_alive(connection):
            connection.close()
            self.pool.putconn(connection)
            connection = super().get_new_connection(conn_params)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        if not self._in_utc:
            return super().create_cursor(name)
        if name:
            # as Django does for cursors on the server with parameters bound on the client
            make: Any = base.ServerSideCursor
            return make(self.connection, name=name, scrollable=False, withhold=self.connection.autocommit)
        return self.connection.cursor()

    @property
    def _in_utc(self) -> bool:
        return self.timezone_name == "UTC"


def is_alive(connection: Connection[Any]) -> bool:
    """Whether the server has left the idle `connection` open; unasked it says something only to end it."""
    if connection.closed:
        return False
    watch = select.poll()
    watch.register(connection.fileno(), select.POLLIN)
    return not watch.poll(0)
