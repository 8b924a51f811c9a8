"""/metrics is right across processes, survives those that die, and does not wait for parts that are away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
import redis
from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from apps.core.queue.work_queue import TASKS
from apps.core.resilience.circuit_breaker import SharedCircuitBreaker
from apps.core.telemetry.slots import VARIABLE, Slots
from apps.core.telemetry.state import VALKEY, StateCollector
from config.server.ports import free_port
from tests import loopback
from tests.processes import ROOT, Process, Processes
from tests.waiting import wait_for

DIE = """
import os, pathlib, signal, sys
from apps.core.telemetry.slots import Slots
assert Slots(pathlib.Path(sys.argv[1])).mine() == 3
os.kill(os.getpid(), signal.SIGKILL)
"""


def samples(page: str) -> Iterator[Any]:
    for family in text_string_to_metric_families(page):
        yield from family.samples


def scrape(url: str, **headers: str) -> str:
    answer = loopback.get(f"{url}/metrics", headers=headers, timeout=20)
    assert answer.status_code == 200
    return answer.text


def total(page: str, name: str, **labels: str) -> float:
    """The sum of the samples that have `labels`."""
    return float(sum(s.value for s in samples(page) if s.name == name and labels.items() <= s.labels.items()))


def replaced(web: Process, dead: int) -> bool:
    return len(web.workers() - {dead}) == 2


def answers(web: Process) -> bool:
    return loopback.answers(f"{web.url}/healthz", timeout=5)


def ask_often(web: Process, path: str, times: int) -> None:
    """Ask so many times, by eight clients that open a connection each time, so that every worker gets some."""

    def ask(_: int) -> int:
        return loopback.get(f"{web.url}{path}", timeout=20).status_code

    with ThreadPoolExecutor(8) as clients:
        assert set(clients.map(ask, range(times))) <= {200, 404}


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_two_web_workers_under_load_add_up(processes: Processes, options: tuple[str, ...]) -> None:
    web = processes.web(options, WEB_WORKERS="2", WEB_THREADS="2")
    wait_for(lambda: len(web.workers()) == 2, "two workers")
    ask_often(web, "/healthz?again", 400)
    ask_often(web, "/nowhere/at-all", 100)
    page = scrape(web.url)
    route = {"route": "healthz", "method": "GET", "status": "200"}
    asked_by_the_fixture = [line for line in web.lines() if line.get("path") == "/healthz"]
    assert total(page, "http_request_seconds_count", **route) == len(asked_by_the_fixture)
    assert len(asked_by_the_fixture) >= 400
    assert total(page, "http_request_seconds_count", route="unmatched", status="404") == 100
    assert "at-all" not in page, "what clients make up is no label"
    assert total(page, "http_request_seconds_bucket", le="+Inf", **route) == len(asked_by_the_fixture)
    shares = list((processes.folder / f"metrics-{httpx.URL(web.url).port}").glob("histogram_*.db"))
    assert len(shares) == 2 + len(options), "both have counted, and who has loaded the service for them can"


def test_workers_that_die_take_no_counts_along_and_leave_no_files_behind(processes: Processes) -> None:
    web = processes.web((), WEB_WORKERS="2")
    folder = processes.folder / f"metrics-{httpx.URL(web.url).port}"
    wait_for(lambda: len(web.workers()) == 2, "two workers")
    route = {"route": "healthz"}
    ask_often(web, "/healthz", 50)
    counted = total(scrape(web.url), "http_request_seconds_count", **route)
    for worker in web.workers():
        os.kill(worker, signal.SIGKILL)
        wait_for(partial(replaced, web, worker), "another one in its place")
        wait_for(lambda: answers(web), "it answers")
        now = total(scrape(web.url), "http_request_seconds_count", **route)
        assert now > counted, "a sum that falls is taken for a restart, and counted double"
        counted = now
    names = {path.name for path in folder.glob("counter_*.db")}
    assert names == {"counter_0.db", "counter_1.db"}, "whoever comes takes the place of one that is gone"
    assert {path.name for path in folder.glob("gauge_*")} <= {"gauge_livesum_0.db", "gauge_livesum_1.db"}


def test_a_number_is_held_as_long_as_its_process_lives(tmp_path: Path) -> None:
    live = tmp_path / "gauge_livesum_0.db"
    first, second = Slots(tmp_path), Slots(tmp_path)
    assert (first.mine(), second.mine(), first.mine()) == (0, 1, 0)
    child = os.fork()
    if not child:
        os._exit(first.mine())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2, "a fork takes a number of its own"
    live.write_text("")
    second.bury()
    assert live.exists(), "it lives"
    assert Slots(tmp_path).mine() == 2, "free again"
    dying = subprocess.run([sys.executable, "-c", DIE, str(tmp_path)], cwd=ROOT, check=False)
    assert dying.returncode == -signal.SIGKILL
    gone = tmp_path / "gauge_livesum_3.db"
    gone.write_text("")
    first.bury()
    assert live.exists()
    assert not gone.exists()


def test_a_new_server_starts_from_zero(processes: Processes) -> None:
    folder = processes.folder / "shared"
    first = processes.web(**{VARIABLE: str(folder)})
    ask_often(first, "/problems/not_found", 20)
    assert total(scrape(first.url), "http_request_seconds_count", route="problems/<slug:code>") == 20
    second = processes.web(**{VARIABLE: str(folder)})
    page = scrape(second.url)
    assert total(page, "http_request_seconds_count", route="problems/<slug:code>") == 20, "others still count there"
    first.kill()
    second.kill()
    third = processes.web(**{VARIABLE: str(folder)})
    assert total(scrape(third.url), "http_request_seconds_count", route="problems/<slug:code>") == 0


def test_a_metrics_port_that_is_taken_is_named(processes: Processes) -> None:
    port = free_port()
    processes.relay(METRICS_PORT=str(port))
    second = processes.manage("relay", METRICS_PORT=str(port))
    assert second.returncode == 1
    assert (
        second.stderr.strip()
        .splitlines()[-1]
        .startswith(f"cannot listen on METRICS_HOST=127.0.0.1, METRICS_PORT={port}")
    )


def test_a_folder_that_cannot_be_used_is_said_and_survived(processes: Processes) -> None:
    (processes.folder / "file").write_text("")
    web = processes.web(**{VARIABLE: str(processes.folder / "file")})
    assert total(scrape(web.url), "http_request_seconds_count", route="healthz") >= 1
    assert any(line["event"] == "metrics_of_one_process_only" for line in web.lines())


class TestState:
    """What is looked up when Prometheus asks."""

    @pytest.mark.django_db(transaction=True)
    def test_every_source_is_there(self, client: Client, valkey: redis.Redis, breaker: SharedCircuitBreaker) -> None:
        valkey.set(f"{settings.VALKEY_PREFIX}worker:io", 1)
        page = client.get("/metrics").content.decode()
        sources = {s.labels["source"]: s.value for s in samples(page) if s.name == "metrics_source_up"}
        assert sources.keys() >= {"transactions", "outbox", "breakers", "workers"}
        assert set(sources.values()) == {1}
        up = {s.labels["queue"]: s.value for s in samples(page) if s.name == "worker_up"}
        assert up == {task.queue: float(task.queue == "io") for task in TASKS.values()}
        assert total(page, "breaker_state", breaker=breaker.name, state="closed") == 1
        assert total(page, "breaker_state") == 1

    def test_parts_that_are_away_do_not_take_the_page_along(self, processes: Processes) -> None:
        closed = "127.0.0.1:1"
        web = processes.web(DATABASE_URL=f"postgres://app@{closed}/app", REDIS_URL=f"redis://{closed}/0")
        page = scrape(web.url)
        sources = {s.labels["source"]: s.value for s in samples(page) if s.name == "metrics_source_up"}
        assert {name for name, up in sources.items() if up} == {"breakers"}, "which then keep their state by process"
        assert total(page, "http_request_seconds_count", route="healthz") >= 1

    @pytest.mark.django_db(transaction=True)
    def test_a_source_that_hangs_is_left_out_and_not_asked_again(self) -> None:
        free, asked = Event(), []

        def hang() -> list[Any]:
            asked.append(1)
            free.wait(60)
            return []

        state = StateCollector(seconds=0.05)
        state.add(VALKEY, "hanging", hang)
        try:
            for _ in range(3):
                (up,) = list(state.collect())
                assert [(s.labels["source"], s.value) for s in up.samples] == [("hanging", 0)]
        finally:
            free.set()
        assert len(asked) == 1


def test_in_production_only_with_the_token(processes: Processes) -> None:
    secret = "metrics-token-of-this-test"
    production = {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "SECRET_KEY": "of-this-test-of-this-test-of-this-test-of-this-test",
        "ALLOWED_HOSTS": "127.0.0.1",
    }
    web = processes.web(**production, METRICS_TOKEN=secret)
    assert loopback.get(f"{web.url}/metrics").status_code == 401
    assert "http_request_seconds" in scrape(web.url, Authorization=f"Bearer {secret}")
    closed = processes.web(**production, METRICS_TOKEN="")
    refused = loopback.get(f"{closed.url}/metrics", headers={"Authorization": "Bearer any"})
    assert refused.status_code == 401
