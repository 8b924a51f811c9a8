"""/healthz says that the process lives, /readyz whether it can do its work and what fails."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from signal import SIGTERM
from unittest.mock import patch

import httpx
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from apps.core.queue.work_queue import TASKS
from apps.core.telemetry import health
from tests import loopback
from tests.configured import configured
from tests.processes import Processes
from tests.waiting import wait_for

PREFIX = settings.VALKEY_PREFIX

CLOSED_PORT = "redis://127.0.0.1:1/0"


@pytest.fixture
def working(valkey: redis.Redis) -> None:
    """Heartbeats as a worker of every queue leaves them."""
    for task in TASKS.values():
        valkey.set(f"{PREFIX}worker:{task.queue}", 1)


def readyz() -> tuple[int, list[str]]:
    """The status of /readyz and the parts that it names as failing."""
    answer = Client().get("/readyz")
    body = answer.json()
    assert body["failed"] == [name for name, outcome in body["checks"].items() if outcome != "ok"]
    assert ("Retry-After" in answer.headers) == bool(body["failed"])
    return answer.status_code, body["failed"]


@pytest.mark.django_db(transaction=True)
class TestReadyz:
    """Each part that is needed, by name."""

    def test_all_well(self, working: None) -> None:
        assert readyz() == (200, [])

    def test_no_worker(self) -> None:
        assert readyz() == (503, ["worker"])

    def test_one_queue_that_nobody_serves(self, working: None, valkey: redis.Redis) -> None:
        valkey.delete(f"{PREFIX}worker:io")
        assert readyz() == (503, ["worker"])

    def test_no_cache(self, working: None) -> None:
        with configured(redis_url=CLOSED_PORT):
            assert readyz() == (503, ["cache", "worker"])

    def test_the_queues_without_a_worker_are_named(self, working: None, valkey: redis.Redis) -> None:
        valkey.delete(*(f"{PREFIX}worker:{queue}" for queue in ("io", "jobs")))
        assert Client().get("/readyz").json()["checks"]["worker"] == "failed: no worker takes from io, jobs"

    def test_pending_migrations_are_named_until_they_are_applied(self, working: None) -> None:
        recorder = MigrationRecorder(connection)
        _, last = MigrationLoader(connection).graph.leaf_nodes("core")[0]
        health._in_step.clear()
        recorder.record_unapplied("core", last)
        try:
            assert readyz() == (503, ["migrations"])
            assert Client().get("/readyz").json()["checks"]["migrations"] == f"failed: pending: core.{last}"
        finally:
            recorder.record_applied("core", last)
        assert readyz() == (200, [])

    def test_migrations_once_in_step_are_not_looked_for_again(self, working: None) -> None:
        assert readyz() == (200, [])
        with patch.object(health, "MigrationExecutor") as executor:
            assert readyz() == (200, [])
        assert not executor.called

    def test_a_part_that_hangs_is_named_with_the_time_it_had(self, working: None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
            with configured(redis_url=url):
                checks = Client().get("/readyz").json()["checks"]
        assert (checks["cache"], checks["database"]) == ("failed: no answer within 2 s", "ok")

    def test_it_does_not_show_addresses_or_errors(self) -> None:
        with configured(redis_url=CLOSED_PORT):
            assert b"127.0.0.1" not in Client().get("/readyz").content


def test_a_real_worker_is_seen_and_missed_when_it_stops(processes: Processes, valkey: redis.Redis) -> None:
    worker = processes.worker(concurrency=1)
    heartbeats = {f"{PREFIX}worker:{task.queue}".encode() for task in TASKS.values()}
    wait_for(
        lambda: set(valkey.keys(f"{PREFIX}worker:*")) == heartbeats,
        "the worker says which queues it serves",
    )
    assert readyz() == (200, [])
    longest = max(valkey.ttl(key) for key in heartbeats)
    assert 0 < longest <= 10, "one that is killed is missed within ten seconds"
    worker.popen.send_signal(SIGTERM)
    assert worker.popen.wait(30) == 0
    assert readyz() == (503, ["worker"]), "one that was told to stop is missed at once"


def test_a_worker_is_missed_when_only_its_children_are_stopped(processes: Processes) -> None:
    worker = processes.worker(concurrency=2)
    wait_for(lambda: readyz() == (200, []), "the worker serves its queues")
    *children, _ = worker.tree()
    for child in children:
        child.suspend()
    wait_for(lambda: readyz() == (503, ["worker"]), "nobody works, and it shows", seconds=60)
    assert worker.popen.poll() is None
    children[0].resume()
    wait_for(lambda: readyz() == (200, []), "one child is enough")


def test_a_web_process_without_its_database_and_broker_says_so(processes: Processes, bearer: dict[str, str]) -> None:
    web = processes.web(DATABASE_URL="postgres://app@127.0.0.1:1/app", CELERY_BROKER_URL=CLOSED_PORT)
    with loopback.client(base_url=web.url, timeout=30) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/api/v1/things/1", headers={"Authorization": "Bearer x"}).status_code == 401
        asked: list[Callable[[], httpx.Response]] = [
            lambda: client.get("/readyz"),
            lambda: client.get("/api/v1/things/1", headers=bearer),
            lambda: client.post("/api/v1/things", json={"name": "New"}),
        ]
        with ThreadPoolExecutor(len(asked)) as pool:
            ready, read, written = pool.map(lambda ask: ask(), asked)
    assert (ready.status_code, ready.json()["failed"]) == (503, ["database", "broker", "worker"])
    for answer in (read, written):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Retry-After"]
        assert "127.0.0.1:1" not in answer.text


def test_healthz_touches_nothing(client: Client) -> None:
    """pytest-django would fail this test if it touched the database."""
    with configured(redis_url=CLOSED_PORT):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert client.head("/healthz").status_code == 200
    assert client.post("/healthz").status_code == 405
