"""A database that keeps silent holds nobody for longer than a set time, and what was given up is used no more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection

from apps.core.postgresql import patience
from apps.core.postgresql.base import PatientSchemaEditor
from tests.conftest import own_database_url
from tests.waiting import wait_for

SECONDS = 0.3


@pytest.fixture
def kind(transactional_db: None) -> Iterator[type[psycopg.Connection[Any]]]:
    """Connections that wait for a moment; nothing is known of the database yet."""
    patience._silent.clear()
    yield patience.bounded(SECONDS)
    patience._silent.clear()


def connect(kind: type[psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    return kind.connect(own_database_url(), autocommit=True)


@contextmanager
def frozen(*backends: int) -> Iterator[None]:
    """These processes of the server do not run for the length of the block."""
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)


def test_a_statement_without_an_answer_is_given_up_with_its_connection(kind: type[psycopg.Connection[Any]]) -> None:
    asked = connect(kind)
    began = time.monotonic()
    with frozen(asked.info.backend_pid), pytest.raises(psycopg.OperationalError, match=r"did not answer within 0\.3 s"):
        asked.execute("SELECT 1")
    assert SECONDS <= time.monotonic() - began < SECONDS + 5
    assert asked.closed, "the answer may still come, and would be taken for the next one's"


def test_what_a_live_server_is_still_at_is_cancelled(kind: type[psycopg.Connection[Any]]) -> None:
    with pytest.raises(psycopg.OperationalError, match="did not answer"):
        connect(kind).execute("SELECT pg_sleep(300)")
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(300)' AND state = 'active'"
    with connect(psycopg.Connection) as other:
        wait_for(lambda: not other.execute(sleeping).fetchall(), "nobody sleeps")


def test_after_one_the_next_find_out_sooner_until_one_is_answered(
    kind: type[psycopg.Connection[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SUSPICIOUS_SECONDS", 0.1)
    first, second = connect(kind), connect(kind)
    with frozen(first.info.backend_pid), pytest.raises(psycopg.OperationalError, match=r"within 0\.3 s"):
        first.execute("SELECT 1")
    with frozen(second.info.backend_pid), pytest.raises(psycopg.OperationalError, match=r"within 0\.1 s"):
        second.execute("SELECT 1")
    third = connect(kind)
    third.execute("SELECT 1")
    third.execute("SELECT pg_sleep(0.2)")
    third.close()


def test_an_error_of_the_server_is_told_as_it_is(kind: type[psycopg.Connection[Any]]) -> None:
    with connect(kind) as asked:
        with pytest.raises(psycopg.errors.DivisionByZero):
            asked.execute("SELECT 1 / 0")
        with pytest.raises(psycopg.OperationalError, match="terminat"):
            asked.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_change_of_the_schema_may_take_its_time(kind: type[psycopg.Connection[Any]]) -> None:
    with connection.schema_editor() as editor:
        assert isinstance(editor, PatientSchemaEditor)
        assert connection.connection.patient
    assert not connection.connection.patient
    with connect(kind) as asked:
        asked.patient = True  # type: ignore[attr-defined]
        asked.execute("SELECT pg_sleep(0.4)")
