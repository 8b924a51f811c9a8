"""Tasks and queues are declared by the apps that have them; what starts workers follows."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from celery.beat import Scheduler

from apps.core.queue.work_queue import TASKS
from config.celery import app
from config.stack import plan

DECLARED = {task.queue for task in TASKS.values()}


def test_make_run_starts_a_worker_for_each_queue() -> None:
    assert set(plan.QUEUES) == DECLARED


def test_the_compose_file_starts_a_worker_for_each_queue() -> None:
    served = re.findall(r"-Q, ([\w,]+),", Path("docker-compose.yml").read_text())
    assert sorted(served) == sorted(DECLARED)


def test_a_worker_has_one_name_wherever_it_runs() -> None:
    named = {f"worker-{queue}" for queue in DECLARED}
    services = yaml.safe_load(Path("docker-compose.yml").read_text())["services"]
    assert {name for name in services if "worker" in name} == named
    assert {name for name, one in services.items() if "worker" in one.get("command", [])} == named
    started = plan.background({}, Path())
    assert {child.name for child in started} == named | {"beat"}
    in_celery = [
        re.search(r"(\S+)@%h", " ".join(words))
        for words in (*(c.command for c in started), *(services[n]["command"] for n in named))
    ]
    assert {found[1] for found in in_celery if found} == named


def test_prometheus_asks_every_service_that_shows_numbers() -> None:
    services = yaml.safe_load(Path("docker-compose.yml").read_text())["services"]
    asked = yaml.safe_load(Path("config/monitoring/prometheus.yml").read_text())["scrape_configs"]
    targets = {target for job in asked for group in job["static_configs"] for target in group["targets"]}
    shows = {name for name, one in services.items() if one.get("environment", {}).get("METRICS_PORT") == "9100"}
    assert targets == {"web:8000", *(f"{name}:9100" for name in shows - {"beat"})}


def test_celery_knows_no_task_that_no_app_declared() -> None:
    app.loader.import_default_modules()
    assert {name for name in app.tasks if not name.startswith("celery.")} == set(TASKS)


def test_each_task_goes_to_its_queue_and_beat_sends_those_that_come_by_time() -> None:
    for task in TASKS.values():
        assert app.amqp.router.route({}, task.name)["queue"].name == task.queue
    entries = {entry["task"]: entry["schedule"] for entry in app.conf.beat_schedule.values()}
    assert entries == {task.name: task.every for task in TASKS.values() if task.every}


def test_every_task_has_somebody_who_sends_it() -> None:
    assert [task.name for task in TASKS.values() if not task.every and not task.due] == []


def test_beat_never_sleeps_for_long_as_it_would_miss_a_signal_until_it_wakes() -> None:
    assert Scheduler(app).tick() <= 5
