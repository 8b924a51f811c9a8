"""What processes write in production: JSON, line by line, from the first to the last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from config.server.ports import free_port
from tests import loopback
from tests.processes import ROOT, Process, Processes
from tests.waiting import wait_for

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "ALLOWED_HOSTS": "127.0.0.1",
    "PYTHONWARNINGS": "always",
}
GOES_WRONG = """
from config.chosen import choose_settings
choose_settings("config.settings.production")
import threading, warnings, sys
print("printed", end="")
print(" in two")
warnings.warn("a warning")
sys.stderr.write("one\\ntwo\\n")
print("password=hunter2 \\udcff")
thread = threading.Thread(target=lambda: int("in a thread"))
thread.start()
thread.join()
print("no newline", end="")
raise ValueError("of the main thread, token=hunter2")
"""


def lines_of(text: str) -> list[dict[str, Any]]:
    """The lines, after a check that each is a JSON object with the members that all have."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert {"event", "level", "timestamp"} <= line.keys(), line
        assert line["timestamp"].endswith("Z")
    return lines


@pytest.fixture
def services(processes: Processes) -> dict[str, Process]:
    """Web server, relay, both ways to start a worker, and beat, in production; all have done some work."""
    celery = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-Q", "jobs", "-c", "1"]
    background = [sys.executable, "-m", "config.background"]
    io = [*background, "worker", "-Q", "events,io", "-c", "1", "-n", "io@%h"]
    beat = [*background, "beat", "--schedule", str(processes.folder / "beat"), "--pidfile="]
    ports = {name: free_port() for name in ("relay", "worker")}
    started = {
        "web": processes.web((), **PRODUCTION),
        "relay": processes.relay(**PRODUCTION, METRICS_PORT=str(ports["relay"])),
        "celery": processes.start("celery", celery, PRODUCTION),
        "worker": processes.start("io", io, PRODUCTION | {"METRICS_PORT": str(ports["worker"])}),
        "beat": processes.start("beat", beat, PRODUCTION | {"LOG_LEVEL": "DEBUG"}),
    }
    for name in "celery", "worker":
        wait_for(lambda log=started[name].log: "ready." in log.read_text(), f"{name} is ready")  # type: ignore[misc]
    wait_for(lambda: "beat: Ticking" in started["beat"].log.read_text(), "beat ticks")
    user = {"email": "ada@example.com", "name": "Ada"}
    assert loopback.post(f"{started['web'].url}/api/v1/users", json=user).status_code == 201
    wait_for(lambda: list(processes.mail.glob("*")), "the mail has gone out")
    for name, port in ports.items():
        heartbeat = processes.folder / f"heartbeat-{port}"
        wait_for(heartbeat.exists, f"{name} says for a health check that it works")
    return started


def test_every_line_of_every_process_is_json_until_its_end(services: dict[str, Process]) -> None:
    for process in services.values():
        assert process.stop() == 0
    for name, process in services.items():
        assert lines_of(process.log.read_text()), name
    for name in "celery", "worker":
        events = [line["event"] for line in services[name].lines()]
        assert "worker: Cold shutdown (MainProcess)" in events


@pytest.mark.parametrize("program", ["config.server", "config.background worker", "celery -A config.celery worker"])
def test_settings_that_are_not_usable_are_said_in_json(program: str) -> None:
    environment = os.environ | PRODUCTION | {"DATABASE_URL": "", "REDIS_URL": ""}
    command = [sys.executable, "-m", *program.split()]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = "\n".join(line["event"] for line in lines_of(done.stderr))
    assert "DATABASE_URL is missing" in said
    assert "REDIS_URL is missing" in said
    assert not done.stdout


def test_prints_warnings_and_exceptions_are_lines_of_the_log() -> None:
    command, environment = [sys.executable, "-c", GOES_WRONG], os.environ | PRODUCTION
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    printed, scrubbed, unfinished = lines_of(done.stdout)
    assert (printed["event"], printed["level"], printed["logger"]) == ("printed in two", "info", "stdout")
    assert "hunter2" not in done.stdout + done.stderr
    assert "password=" in scrubbed["event"]
    assert unfinished["event"] == "no newline"
    warning, two, thread, main = lines_of(done.stderr)
    assert "UserWarning: a warning" in warning["event"]
    assert two["event"] == "one\ntwo"
    for line, exception in (thread, "in a thread"), (main, "of the main thread"):
        assert (line["event"], line["level"]) == ("uncaught exception", "critical")
        assert line["exception"].startswith("Traceback")
        assert exception in line["exception"]


def test_migrations_in_a_container_are_lines_of_its_log(processes: Processes) -> None:
    done = processes.manage("migrate", "--noinput", LOG_STREAM="stdout", **PRODUCTION)
    assert done.returncode == 0
    assert any("No migrations to apply" in line["event"] for line in lines_of(done.stdout))
    assert not done.stderr


def test_what_a_command_prints_for_a_person_stays_as_it_is(processes: Processes) -> None:
    processes.manage("create_user", "ada@example.com", "--name", "Ada", **PRODUCTION)
    done = processes.manage("issue_token", "ada@example.com", **PRODUCTION)
    assert done.stdout.startswith("eyJ")
