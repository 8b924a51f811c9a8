"""Connections that wait for an answer only so long.

A server that is stopped, or whose disk hangs, keeps its sockets: the kernel goes on acknowledging what is sent to it,
so no time-out of TCP ends the wait, and libpq has none for answers. psycopg's own wait has one, which nothing sets.
Source: https://www.psycopg.org/psycopg3/docs/api/connections.html#psycopg.Connection.wait.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import cache
from typing import Any

import structlog
from psycopg import Connection, Error, OperationalError
from psycopg.pq import TransactionStatus

log = structlog.get_logger("database")
# once one was not answered: the next find out sooner, or all who wait for a thread would wait as long again
SUSPICIOUS_SECONDS = 1.0
CANCEL_SECONDS = 1.0
# whether the last statement of this process that was given up is still the last that ended
_silent = threading.Event()


@cache
def bounded(seconds: float) -> type[Connection[Any]]:
    """A kind of psycopg connection that gives a statement up, and itself, after `seconds` without its answer.

    It then raises OperationalError. What a live server is still at is cancelled. With `patient` set it waits for ever.
    """

    class BoundedConnection(Connection[Any]):
        patient = False

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            limit = timeout or (None if self.patient else _limit(seconds))
            try:
                answer = super().wait(gen, interval, limit)
            except OperationalError as error:
                # not an error of the server's: it is still at it
                if limit is None or self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                    raise
                _give_up(self)
                raise OperationalError(f"the database did not answer within {limit:g} s") from error
            _silent.clear()
            return answer

    return BoundedConnection


def _limit(seconds: float) -> float:
    return min(seconds, SUSPICIOUS_SECONDS) if _silent.is_set() else seconds


def _give_up(connection: Connection[Any]) -> None:
    """Close the connection, which may still be sent the answer, and ask the server to stop working on it."""
    if not _silent.is_set():
        _silent.set()
        log.error("database_silent", reason="a statement was not answered in time")
        with suppress(Error):
            connection.cancel_safe(timeout=CANCEL_SECONDS)
    connection.close()
