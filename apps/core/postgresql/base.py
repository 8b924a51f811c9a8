"""Django's PostgreSQL backend, with six changes.

A pooled connection that the server has closed is noticed without asking the server: a look at the socket costs
microseconds, psycopg's own check a round trip, and when all connections die at once that check backs off for seconds.
If the time zone is UTC, times are read by psycopg's loader in C instead of Django's in Python. And statements that
take longer than the option `slow_ms` are logged, by their cursor, in every thread that connects: Django's own
execute_wrapper covers only one connection and one block. BEGIN, and what is sent for later, travel with other
statements: see trips.py. And a pooled connection gives up a server that has not answered within the option
`answer_within`, in seconds, if it is not changing the schema: see patience.py. And `reading_cursor` sends a statement's
values beside it, where Django's cursors write them into its text, in Python.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.backends.postgresql import base
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.backends.utils import debug_transaction
from psycopg import Connection, Cursor
from psycopg.types.datetime import TimestamptzLoader
from psycopg_pool import ConnectionPool

from apps.core.postgresql.patience import bounded
from apps.core.postgresql.slow import timed
from apps.core.postgresql.trips import flush, send_later, together

BEGIN = "BEGIN"


class PatientSchemaEditor(DatabaseSchemaEditor):
    """Changes the schema, however long that takes."""

    def __enter__(self) -> Any:
        self.connection.ensure_connection()
        self.connection.connection.patient = True
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        try:
            super().__exit__(*error)
        finally:
            if self.connection.connection:
                self.connection.connection.patient = False


class DatabaseWrapper(base.DatabaseWrapper):
    """A database connection; one from the pool is always alive."""

    SchemaEditorClass = PatientSchemaEditor

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        options = self.settings_dict["OPTIONS"]
        if options.get("pool") and (seconds := options.get("answer_within")):
            options["pool"]["connection_class"] = bounded(seconds)

    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        if self._in_utc:
            parameters["context"].adapters.register_loader("timestamptz", TimestamptzLoader)
        parameters.pop("answer_within", None)
        parameters.pop("slow_ms", None)
        parameters["cursor_factory"] = self.kind_of_cursor(parameters["cursor_factory"])
        return parameters

    def kind_of_cursor(self, kind: Any) -> Any:
        """The psycopg cursor class `kind`, with what this backend adds to it."""
        slow_ms = self.settings_dict["OPTIONS"].get("slow_ms", 0)
        kind = together(kind)
        return timed(kind, slow_ms) if slow_ms else kind

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        while self.pool and not is_alive(connection):
            connection.close()
            self.pool.putconn(connection)
            connection = super().get_new_connection(conn_params)
        connection.waiting = []
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        if name:
            flush(self.connection)
        if not self._in_utc:
            return super().create_cursor(name)
        if name:
            # as Django does for cursors on the server with parameters bound on the client
            make: Any = base.ServerSideCursor
            return make(self.connection, name=name, scrollable=False, withhold=self.autocommit)
        return self.connection.cursor()

    def reading_cursor(self) -> Any:
        """A cursor for a statement whose values PostgreSQL can tell the types of; less work than `cursor()`.

        It is `cursor()` itself if something waits to be sent, since what travels together is one text, and in a time
        zone that Django's loader of times is for.
        """
        self.ensure_connection()
        if self.connection.waiting or not self._in_utc:
            return self.cursor()
        with self.wrap_database_errors:
            prepare: Any = self._prepare_cursor  # type: ignore[attr-defined] # the stubs know public methods only
            return prepare(self.kind_of_cursor(Cursor)(self.connection))

    def send_later(self, sql: str, params: Sequence[Any]) -> None:
        """Send `sql` with the next statement, COMMIT included; only inside a transaction, and without an answer."""
        self.validate_no_broken_transaction()
        send_later(self.connection, sql, params)

    def _set_autocommit(self, autocommit: bool) -> None:
        if not autocommit:
            # psycopg stays in autocommit mode: its own BEGIN would be a trip
            send_later(self.connection, BEGIN)
        elif not self.connection.autocommit:
            super()._set_autocommit(True)  # type: ignore[misc] # the stubs know public methods only

    def _commit(self) -> None:
        waiting = self.connection.waiting if self.connection else []
        if waiting == [BEGIN]:
            waiting.clear()
        elif waiting:
            with debug_transaction(self, ";".join([*waiting, "COMMIT"])), self.wrap_database_errors:
                self.connection.cursor().execute("COMMIT")
        else:
            super()._commit()  # type: ignore[misc] # as above

    def _rollback(self) -> None:
        if self.connection:
            self.connection.waiting.clear()
        super()._rollback()  # type: ignore[misc] # as above

    def _savepoint(self, sid: str) -> None:
        send_later(self.connection, self.ops.savepoint_create_sql(sid))

    def _savepoint_commit(self, sid: str) -> None:
        if all(sql.startswith(("SAVEPOINT", "RELEASE")) for sql in self.connection.waiting):
            send_later(self.connection, self.ops.savepoint_commit_sql(sid))
        else:
            # an error of what waits belongs to this block and not to the next one
            super()._savepoint_commit(sid)  # type: ignore[misc] # as above

    def _savepoint_rollback(self, sid: str) -> None:
        waiting, savepoint = self.connection.waiting, self.ops.savepoint_create_sql(sid)
        if savepoint in waiting:
            # neither it nor what came after it was sent
            del waiting[waiting.index(savepoint) + 1 :]
        else:
            # what came before the savepoint was sent with it
            waiting.clear()
            super()._savepoint_rollback(sid)  # type: ignore[misc] # as above

    @property
    def _in_utc(self) -> bool:
        return self.timezone_name == "UTC"


def open_pool(alias: str = "default") -> ConnectionPool[Any] | None:
    """This process's pool of connections; None before the first connection."""
    pools: dict[str, ConnectionPool[Any]] = DatabaseWrapper._connection_pools  # type: ignore[attr-defined]
    return pools.get(alias)


def close_pool() -> None:
    """Close the connections of this process, which ends, so that the server does not take them for lost."""
    connections.close_all()
    if pool := open_pool():
        pool.close(timeout=1)


def is_alive(connection: Connection[Any]) -> bool:
    """Whether the server has left the idle `connection` open; it sends something unasked only to end it."""
    if connection.closed:
        return False
    watch = select.poll()
    watch.register(connection.fileno(), select.POLLIN)
    return not watch.poll(0)
