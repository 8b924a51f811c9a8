"""Whatever is killed, wiped or stopped: what was answered 2xx has all its effects, each exactly once."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import redis

from tests import loopback
from tests.faults.world import World, world
from tests.waiting import wait_for

LOAD_SECONDS = 4.0
# how long the service waits for the database; beyond that a second to cancel, two for a connection, and some
DATABASE_TIMEOUT, MARGIN = 3.0, 5.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One service for all of these tests, which break it one after another."""
    with world(tmp_path_factory.mktemp("world"), DATABASE_TIMEOUT=f"{DATABASE_TIMEOUT:g}") as running:
        yield running


@pytest.mark.parametrize("name", ["worker", "relay", "web"])
def test_a_process_is_killed_in_mid_stream(service: World, name: str) -> None:
    client = service.load(LOAD_SECONDS, lambda: service.restart(name), pause=0.5)
    service.settle(leases_lost=True)
    service.check(client)


def test_the_cache_and_broker_are_wiped_again_and_again(service: World) -> None:
    with redis.Redis.from_url(service.services.valkey.url()) as valkey:
        client = service.load(LOAD_SECONDS, valkey.flushall, pause=0.02)
    assert set(client.statuses) == {201}
    service.settle()
    service.check(client)


def test_the_broker_is_frozen_and_writes_answer_as_before(service: World) -> None:
    before = service.load(2)
    pid = service.services.supervisor.pids()["valkey"]
    os.kill(pid, signal.SIGSTOP)
    try:
        client = service.load(LOAD_SECONDS)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert set(client.statuses) == {201}
    # the rate limit waits for Valkey once a second, for 40 ms; nothing else in the request does
    assert median(client.seconds) < median(before.seconds) + 0.05
    service.settle()
    service.check(client)


def test_the_broker_is_killed_and_comes_back_empty(service: World) -> None:
    os.kill(service.services.supervisor.pids()["valkey"], signal.SIGKILL)
    client = service.load(LOAD_SECONDS)
    assert set(client.statuses) == {201}
    assert service.services.supervisor.wait_for(service.services.valkey.ready, 30)
    service.settle()
    service.check(client)


def test_database_connections_are_cut_under_load(service: World) -> None:
    others = "pid <> pg_backend_pid() AND datname = 'app' AND usename = current_user"
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
    client = service.load(LOAD_SECONDS, lambda: service.rows(cut), pause=0.3)
    assert set(client.statuses) <= {201, 503}
    service.settle(leases_lost=True)
    service.check(client)


def test_the_database_server_is_killed_under_load(service: World) -> None:
    killed = itertools.count()

    def kill_once() -> None:
        if next(killed) == 4:
            os.kill(service.services.supervisor.pids()["postgres"], signal.SIGKILL)

    client = service.load(LOAD_SECONDS, kill_once)
    assert service.services.supervisor.wait_for(service.services.postgres.ready, 30)
    assert set(client.statuses) <= {201, 503}
    wait_for(lambda: loopback.get(f"{service.web.url}/readyz").status_code == 200, "it is ready again")
    service.settle(leases_lost=True)
    service.check(client)


def test_the_database_is_frozen_and_holds_nobody(service: World) -> None:
    server = psutil.Process(service.services.supervisor.pids()["postgres"])
    frozen: list[psutil.Process] = []
    turns = itertools.count()

    def freeze_and_thaw() -> None:
        turn = next(turns)
        if turn == 2:
            # first the one that starts others
            send([server], signal.SIGSTOP)
            frozen.extend([server, *server.children()])
            send(frozen, signal.SIGSTOP)
        elif turn == 4:
            answer = loopback.get(f"{service.web.url}/api/v1/users/1", headers=service.token, timeout=20)
            assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
            assert int(answer.headers["Retry-After"]) > 0
        elif turn == 12:
            send(frozen, signal.SIGCONT)

    try:
        client = service.load(LOAD_SECONDS + DATABASE_TIMEOUT, freeze_and_thaw)
    finally:
        send(frozen, signal.SIGCONT)
    assert set(client.statuses) == {201, 503}
    assert max(client.seconds) < DATABASE_TIMEOUT + MARGIN
    assert set(service.load(1).statuses) == {201}, "it healed by itself"
    service.settle(leases_lost=True)
    service.check(client)


def send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def test_events_committed_while_no_relay_runs_are_delivered_later(service: World) -> None:
    service.relay.kill()
    client = service.load(1)
    waiting = service.rows("SELECT count(*) FROM events_outboxevent WHERE position IS NULL")
    assert waiting[0][0] >= len(client.accepted)
    service.relay = service.processes.relay()
    service.settle()
    service.check(client)


def test_two_relays_give_no_event_two_places(service: World) -> None:
    second = service.processes.relay()
    client = service.load(3)
    second.stop()
    service.settle()
    service.check(client)


def median(values: list[float]) -> float:
    """The middle value."""
    return sorted(values)[len(values) // 2]


def test_mail_folder_is_not_the_world(service: World, tmp_path: Path) -> None:
    """A mail folder that cannot be written to holds up only the mail, which comes once it can be."""
    service.worker.kill()
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    service.worker = service.processes.worker(EMAIL_URL=f"filemail:///{blocked}")
    client = service.load(1)
    unmailed = "SELECT count(*) FROM events_delivery WHERE state = 'failed' AND receiver = 'users.send_welcome_email'"
    wait_for(lambda: service.rows(unmailed)[0][0] >= len(client.accepted), "the mail fails")
    enriched = "SELECT count(*) FROM profiles_profile p JOIN users_user u ON u.id = p.user_id WHERE u.email LIKE %s"
    enriched += " AND p.enriched_at IS NOT NULL"  # of profiles
    wait_for(lambda: service.rows(enriched, f"{client.prefix}-%")[0][0] == len(client.accepted), "profiles are filled")
    service.settle(leases_lost=True)
    service.check(client)
