"""manage.py: what people type. Bad input is one clear line and a non-zero exit; `--json` is JSON."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import load_command_class

from apps.core.queue.work_queue import DeliveryState
from apps.core.resilience.circuit_breaker import SharedCircuitBreaker
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot
from apps.users.models import User
from tests.commands import refusal, run, run_json
from tests.conftest import PASSWORD
from tests.processes import ROOT, Processes

Register = Callable[..., UserSnapshot]
COMMANDS = {
    "core": ("patterns", "compare", "breakers", "rotate_keys"),
    "users": ("create_user", "issue_token", "remove_second_factor"),
    "events": ("outbox", "relay"),
}


@pytest.mark.parametrize(("app", "name"), [(app, name) for app, names in COMMANDS.items() for name in names])
def test_the_help_has_an_example(app: str, name: str) -> None:
    parser = load_command_class(f"apps.{app}", name).create_parser("manage.py", name)
    assert f"manage.py {name}" in parser.format_help().partition("Example:")[2]


@pytest.mark.django_db
class TestCreateUser:
    """manage.py create_user"""

    def test_it_makes_one_through_the_same_use_case(self, capsys: pytest.CaptureFixture[str]) -> None:
        (shown,) = run_json(capsys, "create_user", "Ada@Example.com", "--name", "Ada", "--staff")
        user = User.objects.get()
        assert (shown["id"], shown["email"], shown["is_staff"]) == (user.id, "Ada@example.com", True)
        assert "password" not in shown
        assert not user.has_usable_password()
        assert run_json(capsys, "outbox")["unsequenced"] == 1, "and its event is told"

    @pytest.mark.parametrize(
        ("words", "named"),
        [
            (("create_user", "ada", "--name", "Ada"), "e-mail"),
            (("create_user", "ada@example.com", "--name", ""), "name"),
            (("create_user", "ada@example.com"), "--name"),
            (("create_user",), "email"),
            (("create_user", "taken@EXAMPLE.com", "--name", "Ada"), "already"),
            (("issue_token", "nobody@example.com"), "nobody@example.com"),
            (("issue_token", "\udcff@example.com"), "UTF-8"),
            (("breakers", "--reset", "nothing"), "nothing"),
            (("compare", "nothing"), "nothing"),
            (("compare", "service", "layers"), "service layer, dependency injection"),
            (("compare",), "--all"),
            (("compare", "retry", "--all"), "not both"),
            (("outbox", "--replay", "x"), "--replay"),
            (("outbox", "--replay", "17"), "17"),
            (("outbox", "--replay", "9" * 30), "9" * 30),
        ],
        ids=lambda value: " ".join(value).encode("ascii", "replace").decode() if isinstance(value, tuple) else "",
    )
    def test_bad_input_is_one_clear_line(self, register: Register, words: tuple[str, ...], named: str) -> None:
        register("taken@example.com")
        assert named in refusal(*words)


def test_in_a_real_process_too(processes: Processes) -> None:
    command = [sys.executable, "manage.py", "create_user", "ada@example.com", "--name", "Ada", "--password-stdin"]

    def create(password: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=processes.environment(),
            input=f"{password}\n",
            capture_output=True,
            text=True,
            check=False,
        )

    made, again = create(PASSWORD), create("password")
    assert made.returncode == 0, made.stderr
    assert User.objects.get().check_password(PASSWORD)
    assert (again.returncode, again.stdout) == (1, "")
    assert "Traceback" not in again.stderr
    assert len(again.stderr.strip().splitlines()) == 1
    assert "password" in again.stderr
    away = processes.manage("outbox", "--json", DATABASE_URL="postgres://app@127.0.0.1:1/app")
    assert away.returncode != 0
    assert "Traceback" not in away.stderr
    assert "database does not answer" in away.stderr.splitlines()[-1]


@pytest.mark.django_db
class TestOthers:
    """issue_token, outbox, breakers"""

    def test_a_token_that_opens_the_api(
        self, register: Register, anyone: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        register("ada@example.com")
        token = run(capsys, "issue_token", "ADA@example.com")
        for access in (token.strip(), run_json(capsys, "issue_token", "ada@example.com")["access"]):
            assert anyone.get("/api/v1/users/me", headers={"Authorization": f"Bearer {access}"}).status_code == 200
        User.objects.update(is_active=False)
        assert "ada@example.com" in refusal("issue_token", "ada@example.com")

    def test_the_outbox_shows_what_waits_and_what_died(
        self, register: Register, capsys: pytest.CaptureFixture[str]
    ) -> None:
        register("ada@example.com")
        assert run_json(capsys, "outbox")["unsequenced"] == 1
        fan_out()
        waiting = Delivery.objects.count()
        dead = Delivery.objects.filter(receiver="users.send_welcome_email")
        dead.update(state=DeliveryState.DEAD, due_at=None, last_error="mail server said no")
        shown = run_json(capsys, "outbox")
        assert (shown["unsequenced"], shown["pending"], shown["dead"]) == (0, waiting - 1, 1)
        assert shown["oldest_seconds"] >= 0
        (letter,) = shown["dead_letters"]
        assert (letter["receiver"], letter["last_error"]) == ("users.send_welcome_email", "mail server said no")
        assert "mail server said no" in run(capsys, "outbox")
        replayed = run_json(capsys, "outbox", "--replay", str(letter["id"]))
        assert (replayed["replayed"], replayed["dead"], replayed["pending"]) == (1, 0, waiting)

    def test_breakers_by_name_and_state(
        self, capsys: pytest.CaptureFixture[str], valkey: Any, breaker: SharedCircuitBreaker
    ) -> None:
        valkey.hset(f"breaker:{breaker.name}", mapping={"state": "half-open", "leased_until": 0})
        assert run_json(capsys, "breakers") == [{"name": breaker.name, "state": "half_open"}]
        assert run_json(capsys, "breakers", "--reset", breaker.name) == [{"name": breaker.name, "state": "closed"}]
