"""Dependency injection: without it tests replace parts by patching modules, and every process wires itself."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings

from apps.core.bus import Bus, Command, HandlerError, Query, bus
from apps.core.errors import NotFound
from apps.core.resilience.breakers import GetBreakers
from apps.users.commands import RegisterUser
from apps.users.errors import EmailTaken
from apps.users.models import User
from config.container import Container
from tests.processes import ROOT, Processes
from tests.users.fakes import FakeUsers

CLOSED_PORT = "127.0.0.1:1"
TELL = "import json; from apps.core.bus import bus; print('WIRED' + json.dumps(bus.registered()))"
ENTRY_POINTS = {
    "web": ["-c", f"import config.wsgi; {TELL}"],
    "worker": ["-c", f"from config.celery import app; app.loader.import_default_modules(); {TELL}"],
    "command": ["manage.py", "shell", "-c", TELL],
}


def wired(**parts: Any) -> Bus:
    """A bus of its own over a container with `parts`."""
    other = Bus()
    Container(settings.ENV, **parts).wire(other)
    return other


@pytest.mark.django_db
def test_a_fake_part_is_in_place_of_the_real_one_on_its_own_bus_alone() -> None:
    users, others = FakeUsers(), FakeUsers()
    first, second = wired(users=users), wired(users=others)
    ada = first.execute(RegisterUser("ada@example.com", "Ada"))
    assert users.get(ada.id).email == ada.email
    with pytest.raises(NotFound):
        others.get(ada.id)
    assert second.registered() == bus.registered() == first.registered()


@pytest.mark.django_db
def test_use_cases_run_on_the_parts_they_were_given() -> None:
    other = wired(users=FakeUsers())
    other.execute(RegisterUser("ada@example.com", "Ada"))
    with pytest.raises(EmailTaken):
        other.execute(RegisterUser("ADA@example.com", "Ada"))
    assert not User.objects.exists()
    bus.execute(RegisterUser("ada@example.com", "Ada"))
    assert User.objects.count() == 1


def test_nothing_is_connected_to_before_it_is_needed() -> None:
    nowhere = dataclasses.replace(settings.ENV, redis_url=f"redis://{CLOSED_PORT}/0")
    other = Bus()
    Container(nowhere).wire(other)
    assert other.registered() == bus.registered()


def test_a_part_is_built_once() -> None:
    container = Container(settings.ENV)
    assert container.breakers is container.breakers
    assert container.tokens is container.tokens
    other = Bus()
    container.wire(other)
    container.breaker("another").reset()
    assert other.ask(GetBreakers())["another"] == "closed"


@dataclass(frozen=True)
class Forgotten(Command[None]):
    """A message that nobody registered."""


def test_a_second_handler_is_a_mistake_of_the_composition_root() -> None:
    other = wired()
    with pytest.raises(HandlerError, match="ChangePassword already has a handler"):
        Container(settings.ENV).wire(other)


def test_a_message_without_a_handler_says_where_to_register_one() -> None:
    with pytest.raises(HandlerError, match=r"Forgotten has no handler.*config/wiring"):
        bus.execute(Forgotten())


def test_a_replaced_handler_comes_back() -> None:
    before = bus.registered()["GetBreakers"]
    with bus.replaced(GetBreakers, lambda asked: {"another": "open"}):
        assert bus.ask(GetBreakers()) == {"another": "open"}
    assert bus.registered()["GetBreakers"] == before


def test_every_message_of_the_code_has_a_handler() -> None:
    messages = {m.__name__ for base in (Command, Query) for m in base.__subclasses__() if m.__module__[:5] == "apps."}
    assert messages
    assert messages == set(bus.registered())


def test_web_worker_and_command_share_one_composition(processes: Processes) -> None:
    environment = processes.environment()
    running = {
        name: subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name, words in ENTRY_POINTS.items()
    }
    answers = {name: popen.communicate(timeout=60) for name, popen in running.items()}
    for name, (output, errors) in answers.items():
        assert "WIRED" in output, f"{name}: {errors}"
        line = next(line for line in output.splitlines() if line.startswith("WIRED"))
        assert json.loads(line.removeprefix("WIRED")) == bus.registered(), name
