"""What `make run` shows of the people directory: for tests/stack/test_run.py."""

from __future__ import annotations

import re
import subprocess
from typing import Protocol

from config.stack.plan import ROOT
from tests import loopback
from tests.stack.programs import Program, clean, said_in_time
from tests.waiting import wait_for


class Stack(Protocol):
    """A running stack."""

    def register(self, email: str) -> int: ...


def the_commands_it_prints_work(commands: list[str]) -> None:
    assert len(commands) == 10
    said_in_time(["ADA=ada-", *commands[2:4]], '"company":"Example"')
    subprocess.run(["sh", "-c", "\n".join(commands[4:7])], cwd=ROOT, env=clean({}), capture_output=True, check=True)
    said_in_time(commands[7:8], "open")
    mended = subprocess.run(
        ["sh", "-c", "\n".join(commands[8:])], cwd=ROOT, env=clean({}), capture_output=True, text=True, check=True
    )
    assert '"status":null' in mended.stdout.replace(" ", "")
    assert "closed" in mended.stdout


def a_task_runs(stack: Stack, program: Program) -> None:
    """And does not end by itself for a minute: the directory is slow."""
    found = re.search(r'-X PUT (\S+/control) -H "(\S+): ([^"]+)"', program.output())
    assert found
    control, name, key = found.groups()
    with loopback.client(headers={name: key}) as people:
        people.put(control, json={"delay": 60})
        assert stack.register("slow@example.com") == 201
        wait_for(lambda: people.get(control).json()["served"] > 0, "the task waits for the people directory")
