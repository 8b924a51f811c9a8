"""Django's PostgreSQL backend, with three changes.

A pooled connection that the server has closed is noticed without asking the server: a look at the socket costs
microseconds, psycopg's own check a round trip, and when all connections die at once that check backs off for seconds.
If the time zone is UTC, times are read by psycopg's loader in C instead of Django's in Python. And statements that
take longer than the option `slow_ms` are logged, by their cursor, in every thread that connects: Django's own
execute_wrapper covers only one connection and one block.
"""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection
from psycopg.types.datetime import TimestamptzLoader
from psycopg_pool import ConnectionPool

from apps.core.postgresql.slow import timed


class DatabaseWrapper(base.DatabaseWrapper):
    """A database connection; one from the pool is always alive."""

    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        if self._in_utc:
            parameters["context"].adapters.register_loader("timestamptz", TimestamptzLoader)
        if slow_ms := parameters.pop("slow_ms", 0):
            parameters["cursor_factory"] = timed(parameters["cursor_factory"], slow_ms)
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


def open_pool(alias: str = "default") -> ConnectionPool[Any] | None:
    """This process's pool of connections; None before the first connection."""
    pools: dict[str, ConnectionPool[Any]] = DatabaseWrapper._connection_pools  # type: ignore[attr-defined]
    return pools.get(alias)


def is_alive(connection: Connection[Any]) -> bool:
    """Whether the server has left the idle `connection` open; it sends something unasked only to end it."""
    if connection.closed:
        return False
    watch = select.poll()
    watch.register(connection.fileno(), select.POLLIN)
    return not watch.poll(0)
