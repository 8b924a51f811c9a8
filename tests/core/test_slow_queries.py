"""A slow statement is in the log, with its request and without the values in it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.postgresql.base import Cursor
from structlog.testing import capture_logs

from apps.core.bus import send_later
from apps.core.postgresql.slow import timed
from apps.core.postgresql.trips import together
from tests import loopback
from tests.processes import Processes
from tests.waiting import wait_for

WAITING = "SELECT count(*) FROM pg_locks WHERE relation = 'things_thing'::regclass AND NOT granted"


def test_a_statement_that_waits_is_logged_with_its_request(processes: Processes) -> None:
    web = processes.web(SLOW_QUERY_MS="1")
    headers = {"X-Request-ID": "of-the-slow-request"}
    body = {"name": "ada@example.com", "note": "Lovelace"}
    with ThreadPoolExecutor(1) as clients:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE things_thing IN ACCESS EXCLUSIVE MODE")
            url = f"{web.url}/api/v1/things"
            answer = clients.submit(loopback.post, url, json=body, headers=headers, timeout=30)

            def waits() -> bool:
                cursor.execute(WAITING)
                return bool(cursor.fetchone()[0])

            wait_for(waits, "the request waits for the table")
        assert answer.result().status_code == 201
    lines = [line for line in web.lines() if line["event"] == "slow_query"]
    slow = next(line for line in lines if "things_thing" in line["sql"])
    assert slow["request_id"] == "of-the-slow-request"
    assert slow["route"] == "api/v1/things"
    assert slow["duration_ms"] >= 1
    assert "%s" in slow["sql"]
    assert "ada@" not in web.log.read_text()
    assert "Lovelace" not in web.log.read_text()


@pytest.mark.django_db
@pytest.mark.parametrize("many", [False, True])
def test_the_text_is_logged_and_the_values_are_not(many: bool) -> None:
    kind: Any = together(Cursor)
    assert connection.connection.cursor_factory is timed(kind, settings.ENV.slow_query_ms)
    with capture_logs() as lines, connection.cursor() as cursor:
        if many:
            cursor.executemany("SELECT pg_sleep(0.25),\n  %s", [["hunter2"]])
        else:
            cursor.execute("SELECT pg_sleep(0.25),\n  %s", ["hunter2"])
            cursor.execute("SELECT 'quick'")
    (line,) = [line for line in lines if line["event"] == "slow_query"]
    assert line["sql"] == "SELECT pg_sleep(0.25), %s"
    assert 250 <= line["duration_ms"] < 60_000
    assert (line["route"], line["task"]) == (None, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at", ["commit", "copy"])
def test_of_a_statement_that_travels_with_another_no_value_is_logged(at: str) -> None:
    with capture_logs() as lines, transaction.atomic():
        send_later("SELECT pg_sleep(0.25), %s", ["hunter2"])
        if at == "copy":
            with connection.cursor() as cursor, cursor.copy("COPY (SELECT 1) TO STDOUT") as copy:
                list(copy)
    (line,) = [line for line in lines if line["event"] == "slow_query"]
    assert "hunter2" not in str(line)


@pytest.mark.django_db
def test_zero_turns_it_off() -> None:
    options = connection.settings_dict["OPTIONS"]
    before = options["slow_ms"]
    try:
        options["slow_ms"] = 0
        assert connection.get_connection_params()["cursor_factory"] is together(Cursor)
    finally:
        options["slow_ms"] = before
