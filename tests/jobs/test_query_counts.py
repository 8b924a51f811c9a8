"""How many round trips a job costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.users.commands import UserSnapshot
from tests.performance.trips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_job_is_asked_for_without_the_broker(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient], valkey: redis.Redis
) -> None:
    client = client_of(register())
    assert client.get("/api/v1/users/me").status_code == 200, "as after a process's first request"
    with round_trips(valkey) as trips, CaptureQueriesContext(connection) as captured:
        assert client.post("/api/v1/process", {"rows": [{"a": 1}]}).status_code == 202
    statements = [query["sql"].partition(" ")[0] for query in captured.captured_queries]
    # the caller; in the transaction the turn of one owner at a time and their count, the job and the piece of its file
    assert statements == ["SELECT", "BEGIN", "BEGIN;SELECT", "SELECT", "INSERT", "INSERT", "COMMIT"]
    assert trips == ["EVALSHA"]
