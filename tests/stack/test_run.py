"""`make run` itself, without make: the whole stack from start to end, with everything that can happen to it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from config.server.ports import free_port
from config.stack.plan import QUEUES, ROOT
from tests import loopback
from tests.profiles import running as profiles
from tests.stack.programs import Program, all_gone, clean, running, said_in_time
from tests.waiting import wait_for

STACK = ("-m", "config.stack")


class Stack:
    """Where a stack runs: a state folder and a port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"STATE_DIR": str(folder / "state"), "PORT": str(free_port()), "RELOAD": "0"}
        self.url = f"http://127.0.0.1:{self.environment['PORT']}"

    def register(self, email: str) -> int:
        """Register a person; returns the status of the answer."""
        body = {"email": email, "name": "Somebody"}
        return loopback.post(f"{self.url}/api/v1/users", json=body, timeout=20).status_code

    def answers(self) -> bool:
        return loopback.answers(f"{self.url}/healthz")

    def refuses(self, **change: str) -> str:
        """Start a second copy, which has to give up; returns what it says."""
        environment = clean({**self.environment, **change})
        second = subprocess.run(
            [sys.executable, *STACK], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        return second.stdout + second.stderr


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path)


def test_one_life_of_the_stack(stack: Stack, tmp_path: Path) -> None:
    with running(tmp_path, *STACK, **stack.environment) as program:
        program.says("workers are ready", 240)
        nothing_in_the_state_folder_is_for_others(stack, program)
        nothing_in_the_log_alarms(program)
        the_commands_it_prints_work(program)
        links_in_mails_lead_here(stack)
        assert "Welcome" in loopback.get(f"{stack.url}/dev/mail", timeout=20).text
        a_second_copy_is_told_why_it_cannot_start(stack, program)
        the_tour_breaks_things_and_nothing_is_lost(stack)
        every_killed_process_comes_back(stack, program)
        assert stack.register("before@example.com") == 201
        family = program.family()
        program.popen.kill()
        program.popen.wait()
        all_gone(family)
    with running(tmp_path, *STACK, **stack.environment | {"RELOAD": "1"}) as program:
        program.says("workers are ready")
        saved_code_runs_and_no_request_is_dropped(stack, program)
        assert stack.register("before@example.com") == 409
        profiles.a_task_runs(stack, program)
        it_stops_in_time(program)


def links_in_mails_lead_here(stack: Stack) -> None:
    link = f"{stack.url}/account/email-verification?token="
    mails = Path(stack.environment["STATE_DIR"]) / "mail"
    wait_for(lambda: any(link in file.read_text() for file in mails.glob("*")), "a mail has a link to this copy")


def nothing_in_the_state_folder_is_for_others(stack: Stack, program: Program) -> None:
    assert program.output().index("Ctrl-C stops everything") < program.output().index("workers are ready")
    state = Path(stack.environment["STATE_DIR"])
    wait_for(lambda: list((state / "mail").glob("*")), "the demo data's mail is there")
    assert (state / "valkey" / "appendonlydir").is_dir()
    open_to_others = [path for path in [state, *state.rglob("*")] if path.stat().st_mode & 0o077]
    assert open_to_others == []
    command_lines = ""
    for process in psutil.Process(program.popen.pid).children(recursive=True):
        # a server process of PostgreSQL may end between the two looks
        with suppress(psutil.NoSuchProcess):
            command_lines += " ".join(process.cmdline())
    for line in (state / "env").read_text().splitlines():
        password = urlsplit(line.partition("=")[2]).password
        assert password
        assert password not in command_lines + program.output()


def nothing_in_the_log_alarms(program: Program) -> None:
    # a warning may be a slow machine's: of a statement that took long, or a limit that could not be counted
    alarming = re.compile(r"\[(error|critical) |Discarding|Traceback|RuntimeWarning")
    assert not [line for line in program.output().splitlines() if alarming.search(line)]


def the_commands_it_prints_work(program: Program) -> None:
    output = program.output()
    shown = output[output.index("Register a person") : output.index("Ctrl-C stops")].splitlines()[1:]
    commands = [line for line in shown if line and not line.startswith(" ")]
    first = subprocess.run(
        ["sh", "-c", "\n".join(commands[:3])], cwd=ROOT, env=clean({}), capture_output=True, text=True, check=True
    )
    address = re.search(r'"email":"(ada-(\d+)@example\.com)"', first.stdout)
    assert address
    said_in_time([f"ADA={address[1]}", *commands[2:4]], f'"email":"{address[1]}"')
    wait_for(lambda: time.time() >= int(address[2]) + 1, "the next second, of which the next address is made")
    pasted_again(commands)
    profiles.the_commands_it_prints_work(commands)


def pasted_again(commands: list[str]) -> None:
    again = subprocess.run(
        ["sh", "-c", "\n".join(commands)], cwd=ROOT, env=clean({}), capture_output=True, text=True, check=True
    )
    assert re.search(r'"email":"ada-\d+@', again.stdout)
    assert '"code"' not in again.stdout, "no problem document"


def the_tour_breaks_things_and_nothing_is_lost(stack: Stack) -> None:
    with loopback.client(base_url=stack.url, timeout=60) as browser:
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', browser.get("/").text)
        assert token

        def press(name: str) -> str:
            answer = browser.post(f"/tour/{name}", data={"csrfmiddlewaretoken": token[1]}, headers={"Referer": "/"})
            assert answer.status_code == 200, answer.text
            return answer.text

        followed = re.search(r'data-cohort="([^"]+)"', press("relay-stopped"))
        assert followed

        def so_far() -> str:
            return re.sub(r"\s+|<[^>]+>", " ", browser.get("/tour/now", params={"cohort": followed[1]}).text)

        assert re.search(r"relay +stands still", so_far())
        press("relay-goes-on")
        press("valkey-wiped")
        wait_for(lambda: re.search(r"lost +0 .*Kept\. .*relay +runs", so_far()), "all are looked up", 120)
        assert re.search(r"killed</dt><dd>processes \d+, \d+<", press("workers-killed"))


def a_second_copy_is_told_why_it_cannot_start(stack: Stack, program: Program) -> None:
    same_folder = stack.refuses(PORT=str(free_port()))
    assert f"is in use by process {program.popen.pid}" in same_folder
    same_port = stack.refuses(STATE_DIR=str(stack.folder / "other"))
    assert f"port {stack.environment['PORT']} on 127.0.0.1 is taken" in same_port
    assert same_folder.count("\n") == same_port.count("\n") == 1


def every_killed_process_comes_back(stack: Stack, program: Program) -> None:
    for marker in "granian", "manage.py relay", "events@", "postgres -D", "valkey-server":
        old = find(program, marker)
        assert old
        old.kill()
        wait_for(lambda marker=marker, old=old: find(program, marker) not in {None, old}, f"{marker} is back")  # type: ignore[misc]
    wait_for(stack.answers, "the web server answers", 150)
    wait_for(lambda: stack.register(f"{time.monotonic()}@example.com") == 201, "the database is back", 150)


def find(program: Program, marker: str) -> psutil.Process | None:
    """The child of the supervisor whose command line has `marker` in it."""
    for child in psutil.Process(program.popen.pid).children():
        # one may end between the two looks
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE and marker in " ".join(child.cmdline()):
                return child
    return None


def saved_code_runs_and_no_request_is_dropped(stack: Stack, program: Program) -> None:
    stays = {
        "postgres -D",
        "people",  # of profiles
    }
    markers = "granian", "manage.py relay", *(f"{queue}@" for queue in QUEUES), "beat", *stays
    before = {marker: find(program, marker) for marker in markers}
    # touched, as others read it at the same time
    (ROOT / "apps" / "tour" / "apps.py").touch()

    def reloaded() -> bool:
        assert loopback.get(f"{stack.url}/healthz", timeout=60).status_code == 200
        return "reloaded in" in program.output()

    wait_for(reloaded, "the code is reloaded", 120)
    assert "reloading: apps/tour/apps.py" in program.output()
    assert {marker for marker in markers if find(program, marker) == before[marker]} == stays
    nothing_in_the_log_alarms(program)
    assert "starting it again" not in program.output()


def it_stops_in_time(program: Program) -> None:
    family = program.family()
    begun = time.monotonic()
    assert program.stop(signal.SIGTERM) == 0
    assert time.monotonic() - begun < 10
    all_gone(family, seconds=1)
