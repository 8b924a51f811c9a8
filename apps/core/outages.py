"""Which errors of the database pass by themselves: the work may be tried again, and nobody's code is at fault.

Django tells them apart only in part: a session that PostgreSQL ended because its transaction idled arrives as an
InternalError, as a bug would. So the SQLSTATE decides.
Source: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

import psycopg
from django.db import Error as DjangoError
from django.db import InterfaceError, OperationalError

# connections, transactions that clash, resources, objects in use, a stop by an operator or a time-out, the system
PASSING_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})
PASSING_STATES = frozenset(
    {
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
        "25006",  # read_only_sql_transaction: a standby, after a failover
        "3D000",  # invalid_catalog_name: the database is being restored
        "28000",  # invalid_authorization_specification
        "28P01",  # invalid_password: it is being changed
    }
)
# without a SQLSTATE the class of the error decides alone
UNSAID = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


def is_outage(error: BaseException | None) -> bool:
    """Whether `error`, of Django or psycopg, says that the database cannot do now what it can do later."""
    if not isinstance(error, DjangoError | psycopg.Error):
        return False
    state = sqlstate(error)
    if state is None:
        return isinstance(error, UNSAID)
    return state[:2] in PASSING_CLASSES or state in PASSING_STATES


def sqlstate(error: BaseException) -> str | None:
    """The five letters by which PostgreSQL names `error`; None if it was not PostgreSQL that raised it."""
    for raised in (error, error.__cause__):
        if isinstance(raised, psycopg.Error):
            return raised.sqlstate
    return None
