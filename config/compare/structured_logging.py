"""Structured logging: one registration, whose work is done in a web process and two workers, each with its own log."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog
from django.test import Client, override_settings

from apps.events import deliveries
from apps.events.relay import fan_out
from apps.users.models import User
from config.compare.naive import structured_logging as naive_logging
from config.compare.outcome import Comparison, Figures, only_naive_has
from config.compare.processes import Forked
from config.compare.world import fresh
from config.logging import configure_logging

T = TypeVar("T")
REQUEST_ID, EMAIL, SECRET = "from-the-client-0001", "ada@example.com", "s3cret-of-the-client"
NAIVE_ROUTES = {
    "ROOT_URLCONF": "config.compare.naive.structured_logging",
    "MIDDLEWARE": ["config.compare.naive.structured_logging.logging_middleware"],
}


def naive() -> Figures:
    """Every process has the same set-up, and a task is told whom it is about."""
    fresh()
    with tempfile.TemporaryDirectory() as folder, override_settings(**NAIVE_ROUTES):
        logs = _Logs(Path(folder), _configure_naive)
        logs.of("web", _register)
        user_id = User.objects.get().id
        logs.of("worker", lambda: naive_logging.offer_trial(user_id))
        logs.of("waiting worker", lambda: naive_logging.send_welcome_email(user_id))
        return logs.figures()


def _configure_naive() -> None:
    # of this process's own set-up nothing may be left
    structlog.reset_defaults()
    naive_logging.configure()


def ours() -> Figures:
    """The service's own middleware and receivers, with the service's own set-up."""
    fresh()
    with tempfile.TemporaryDirectory() as folder:
        logs = _Logs(Path(folder), lambda: configure_logging("INFO"))
        logs.of("web", _register)
        logs.of("relay", fan_out)
        logs.of("worker", lambda: deliveries.work(seconds=60))
        logs.of("waiting worker", lambda: deliveries.work_waiting(seconds=60))
        return logs.figures()


def _register() -> None:
    """As a client does that puts its token where it does not belong."""
    url, body = f"/api/v1/users?access_token={SECRET}", {"email": EMAIL, "name": "Ada"}
    Client().post(url, body, content_type="application/json", headers={"X-Request-ID": REQUEST_ID})


class _Logs:
    """What processes write to their standard output."""

    def __init__(self, folder: Path, configure: Callable[[], None]) -> None:
        self._folder, self._configure = folder, configure

    def of(self, name: str, work: Callable[[], object]) -> None:
        """Do `work` in a process of this name."""
        Forked(self._write, self._folder / name, work).answer()

    def _write(self, log: Path, work: Callable[[], object]) -> None:
        sys.stdout.flush()
        with log.open("wb") as file:
            os.dup2(file.fileno(), sys.stdout.fileno())
        self._configure()
        work()
        sys.stdout.flush()

    def figures(self) -> Figures:
        """What a search for the request's id finds in them."""
        lines = [(log.name, line) for log in self._folder.iterdir() for line in log.read_text().splitlines()]
        found = {(name, line) for name, line in lines if REQUEST_ID in line}
        return {
            "processes_that_wrote": len({name for name, _ in lines}),
            "lines_of_the_request": len(lines),
            "processes_in_which_its_id_finds_it": len({name for name, _ in found}),
            "lines_that_its_id_does_not_find": len(lines) - len(found),
            "lines_with_a_secret_or_an_e_mail_address": sum(SECRET in line or EMAIL in line for _, line in lines),
        }


COMPARISON = Comparison(
    promise="One search for a request's id finds all that was done for it, in every process, and no secret.",
    headline="lines_that_its_id_does_not_find",
    naive=naive,
    ours=ours,
    kept=lambda naive, ours: (
        only_naive_has("lines_that_its_id_does_not_find", "lines_with_a_secret_or_an_e_mail_address")(naive, ours)
        and naive["processes_in_which_its_id_finds_it"] == 1
        and naive["processes_that_wrote"] == 3
        and ours["processes_that_wrote"] == ours["processes_in_which_its_id_finds_it"] > 1
    ),
)
