"""The broker ends while every child of a worker's pool is busy, so that none of their tasks can be acknowledged."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psycopg
import pytest
from celery import Celery
from django.conf import settings

from tests.faults.world import World, world
from tests.waiting import wait_for

CHILDREN = 4
# until it may delete, a task waits
LOCK = "LOCK TABLE core_idempotentanswer IN ACCESS EXCLUSIVE MODE"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'core_idempotentanswer'::regclass"


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world"), DATABASE_TIMEOUT="60") as running:
        yield running


def test_a_worker_whose_children_are_all_busy_comes_back_to_the_broker(service: World) -> None:
    supervisor, valkey = service.services.supervisor, service.services.valkey
    with psycopg.connect(service.services.postgres.url()) as lock:
        lock.execute(LOCK)
        with Celery(broker=valkey.url(), set_as_current=False) as sender:
            sender.conf.broker_transport_options = {"global_keyprefix": settings.VALKEY_PREFIX}
            for _ in range(CHILDREN):
                sender.send_task("core.prune", queue="events", ignore_result=True)
        wait_for(lambda: service.rows(WAITING) == [(CHILDREN,)], "every child is busy")
        os.kill(supervisor.pids()["valkey"], signal.SIGKILL)
        lock.rollback()
    wait_for(lambda: "Couldn't ack" in service.worker.log.read_text(), "the broker takes no acknowledgement")
    assert supervisor.wait_for(valkey.ready, 30)
    client = service.load(1)
    service.settle()
    service.check(client)
