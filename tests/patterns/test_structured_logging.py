"""Structured logging: without it a request cannot be followed past the first process, and secrets are in logs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from celery import current_app
from django.db import connection

from apps.users.models import User
from config.redaction import HIDDEN
from tests import loopback
from tests.processes import ROOT, Process, Processes
from tests.waiting import wait_for

REQUEST_ID = "from-the-client-0001"
PASSWORD = "plain-text-password-marker"
SECRETS = {
    "SECRET_KEY": "secret-key-marker-secret-key-marker",
    "METRICS_TOKEN": "metrics-token-marker",
    "EXTERNAL_API_KEY": "people-key-marker",
}
WRITE_LINES = """
import logging
import django; django.setup()
import structlog
from apps.core.context import bound
with bound("of-the-request"):
    structlog.get_logger().info("ours", password="hunter2", user_id=7, nested={"Authorization": "Bearer hunter2"})
    logging.getLogger("a.library").warning("theirs %s", "too", extra={"api_key": "hunter2", "where": "here"})
    try:
        password = "hunter2"
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("failed")
structlog.get_logger().info("after")
"""


def of_request(process: Process, event: str) -> list[dict[str, Any]]:
    """The process's lines of the request that say `event`."""
    return [line for line in process.lines() if line.get("request_id") == REQUEST_ID and line["event"] == event]


def register_ada(web: Process) -> None:
    """Send the request whose id is looked for."""
    answer = loopback.post(
        f"{web.url}/api/v1/users",
        json={"email": "ada@example.com", "name": "Ada", "password": PASSWORD},
        headers={"X-Request-ID": REQUEST_ID},
    )
    assert answer.status_code == 201


def test_one_request_id_from_the_client_to_the_last_retry_in_the_worker(
    processes: Processes, tmp_path: Path, make_due: Callable[[], None]
) -> None:
    mails = tmp_path / "mails"
    mails.write_text("a file where the folder should be")
    web, relay = processes.web(), processes.relay()
    worker = processes.worker(
        EMAIL_URL=f"filemail:///{mails}",
        SECRET_KEY=SECRETS["SECRET_KEY"],
        # Celery says it on stderr before any of our code runs; in the image it is not root
        PYTHONWARNINGS="ignore:You're running the worker",
    )
    register_ada(web)
    wait_for(lambda: of_request(worker, "delivery_failed"), f"it fails at first; see {worker.log}")
    mails.unlink()
    make_due()

    def told() -> bool:
        return "users.send_welcome_email" in {line["receiver"] for line in of_request(worker, "event_delivered")}

    wait_for(told, f"the receiver's line has the request's id; see {worker.log}")
    (finished,) = of_request(web, "request_finished")
    assert (finished["method"], finished["path"], finished["status"]) == ("POST", "/api/v1/users", 201)
    for process in (web, relay, worker):
        for line in process.log.read_text().splitlines():
            assert isinstance(json.loads(line), dict), f"{process.log}: {line}"
        assert not found_in(process, [PASSWORD, *SECRETS.values()])


@contextmanager
def broken_table() -> Iterator[None]:
    """Make every log-in fail on a missing table."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE users_loginattempts RENAME TO gone")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE gone RENAME TO users_loginattempts")


def test_no_secret_is_ever_in_the_log(processes: Processes) -> None:
    web = processes.web(LOG_LEVEL="DEBUG", LOGIN_RATE_LIMIT_PER_MINUTE="3", **SECRETS)
    ada = {"email": "ada@example.com", "password": PASSWORD}
    with loopback.client(base_url=f"{web.url}/api/v1") as client:
        for _ in range(2):
            client.post("/users", json={**ada, "name": "Ada"})
        client.post("/users", json={"email": "x", "name": "", "password": PASSWORD, PASSWORD: 1})
        client.post("/users", content=f'{{"password": "{PASSWORD}"', headers={"Content-Type": "application/json"})
        client.post("/users", content=PASSWORD, headers={"Content-Type": "text/plain"})
        pair = client.post("/auth/token", json=ada).json()
        for _ in range(2):
            client.post("/auth/token/refresh", json={"refresh": pair["refresh"]})
        with broken_table():
            crashed = client.post("/auth/token", json=ada)
        assert crashed.status_code == 500
        statuses = [client.post("/auth/token", json={**ada, "password": f"{PASSWORD}!"}).status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        for scheme in ("Bearer ", "Basic ", ""):
            client.get("/users/me", headers={"Authorization": scheme + pair["access"]})
        client.get("/users/me", headers={"Cookie": f"sessionid={PASSWORD}"})
        client.get("/nowhere", params={"access_token": PASSWORD})
        loopback.get(f"{web.url}/metrics", headers={"Authorization": f"Bearer {SECRETS['METRICS_TOKEN']}"})
    lines = web.lines()
    assert [line["event"] for line in lines].count("request_started") > 10, "it logs at the level asked for"
    (trace,) = [line["exception"] for line in lines if "exception" in line]
    assert "users_loginattempts" in trace
    kept = User.objects.get().password
    assert not found_in(web, [PASSWORD, pair["access"], pair["refresh"], kept, *SECRETS.values()])


def test_what_celery_writes_about_a_task_holds_no_secret(processes: Processes) -> None:
    """It writes an unknown task's message as a whole, and the traceback of one that fails."""
    worker = processes.worker(concurrency=1, LOG_LEVEL="DEBUG", PYTHONWARNINGS="ignore:You're running the worker")
    data = {"password": PASSWORD, "email": "ada@example.com", "headers": {"Authorization": f"Bearer {PASSWORD}"}}
    for name in ("no.such.task", "events.deliver"):
        current_app.send_task(name, args=[data], kwargs={"token": PASSWORD, "to": "ada@example.com"}, queue="events")

    def loggers() -> set[str]:
        return {line.get("logger", "") for line in worker.lines() if line["level"] in ("error", "critical")}

    wait_for(lambda: {"celery.worker.consumer.consumer", "celery.app.trace"} <= loggers(), f"both fail; {worker.log}")
    assert not found_in(worker, [PASSWORD, "ada@"])
    for line in worker.log.read_text().splitlines():
        assert isinstance(json.loads(line), dict), f"{worker.log}: {line}"


def found_in(process: Process, secrets: list[str]) -> list[str]:
    """The lines of the process's log that hold one of `secrets`."""
    return [line for line in process.log.read_text().splitlines() if any(secret in line for secret in secrets)]


def test_ours_and_the_libraries_lines_are_alike(processes: Processes) -> None:
    command = [sys.executable, "-c", WRITE_LINES]
    done = subprocess.run(command, cwd=ROOT, env=processes.environment(), capture_output=True, text=True, check=True)
    ours, theirs, failed, after = [json.loads(line) for line in done.stdout.splitlines()]
    assert "hunter2" not in done.stdout
    for line, event, level in ((ours, "ours", "info"), (theirs, "theirs too", "warning"), (failed, "failed", "error")):
        assert (line["event"], line["level"], line["request_id"]) == (event, level, "of-the-request")
        assert line["timestamp"].endswith("Z")
    assert (ours["user_id"], ours["password"]) == (7, HIDDEN)
    assert (theirs["where"], theirs["api_key"], theirs["logger"]) == ("here", HIDDEN, "a.library")
    assert "ValueError: broken" in failed["exception"]
    assert "request_id" not in after


@pytest.mark.parametrize(
    "value", [10**30, "\udcff", float("nan"), {1, 2}, {object(): 1}, b"\xff"], ids=lambda value: type(value).__name__
)
def test_a_line_about_anything_at_all_ends_no_request(value: Any) -> None:
    structlog.get_logger().info("said", value=value)
