"""The processes of `make run` are forks of one that has loaded the service, and are looked after as any others."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import psutil
import pytest

from config.stack.child import Child
from config.stack.console import Console
from config.stack.forks import ForkServer
from config.stack.supervisor import Supervisor
from tests.stack.programs import all_gone
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")

# says what it has got from the process that it comes from, and waits
SAYING = """
import os, sys, time
print(sys.argv[1:], "django" in sys.modules, sorted(os.listdir("/proc/self/fd")), flush=True)
time.sleep(600)
"""
# starts a process that starts another, and ends it
LEAVING = """
import subprocess, sys, time
middle = subprocess.Popen([sys.executable, "-c", "import subprocess; print(subprocess.Popen(['sleep', '0.3']).pid)"])
middle.wait()
time.sleep(600)
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "logs") as supervisor:
        yield supervisor


@pytest.fixture
def listener() -> Iterator[int]:
    """A descriptor that only one of the children may hold."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


@pytest.fixture
def server(supervisor: Supervisor, listener: int) -> ForkServer:
    """A server that has loaded the service, of which children are forks."""
    command = (sys.executable, "-m", "config.stack.forkserver")
    child = Child(name="forkserver", command=command, environment=os.environ, descriptors=(listener,))
    server = supervisor.load(child)
    assert supervisor.wait_for(server.settled, 60)
    assert server.problem() == ""
    # to fork one with threads may lock a fork for ever
    assert psutil.Process(server.pid).num_threads() == 1
    supervisor.fork_from(server)
    return server


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "program.py"


def child(script: Path, code: str, *arguments: str, **more: object) -> Child:
    script.write_text(code)
    command = (sys.executable, str(script), *arguments)
    return Child(name="child", command=command, environment=os.environ, forked=True, **more)  # type: ignore[arg-type]


def said(supervisor: Supervisor) -> str:
    """The last line of the child, once it has written more than one."""
    wait_for(lambda: "]\n" in supervisor.log("child").read_text(), "the child says it")
    return supervisor.log("child").read_text().splitlines()[-1]


def test_a_child_is_a_fork_and_a_child_of_the_supervisor(
    supervisor: Supervisor, server: ForkServer, script: Path
) -> None:
    supervisor.start(child(script, SAYING, "one", "2"))
    # standard input, output and errors, and the folder that it looks at
    assert said(supervisor) == "['one', '2'] True ['0', '1', '2', '3']"
    process = psutil.Process(supervisor.pids()["child"])
    assert process.ppid() == os.getpid()
    assert os.getpgid(process.pid) == process.pid
    assert " ".join(process.cmdline()).strip() == f"{sys.executable} {script} one 2"


def test_only_who_is_to_listen_holds_the_socket(
    supervisor: Supervisor, server: ForkServer, script: Path, listener: int
) -> None:
    supervisor.start(child(script, SAYING, descriptors=(listener,)))
    assert f"'{listener}'" in said(supervisor)


def test_it_ends_as_any_program_does(supervisor: Supervisor, server: ForkServer, script: Path) -> None:
    outcome = supervisor.run_once(child(script, "import atexit; atexit.register(print, 'last'); raise SystemExit(3)"))
    assert (outcome.status, outcome.output) == (3, "last\n")
    outcome = supervisor.run_once(child(script, "1 / 0"))
    assert outcome.status == 1
    assert outcome.output.endswith("ZeroDivisionError: division by zero\n")
    outcome = supervisor.run_once(child(script, "import os; os.kill(os.getpid(), 9)"))
    assert outcome.status == -SIGKILL


def test_what_it_says_is_shown(tmp_path: Path, server: ForkServer, supervisor: Supervisor, script: Path) -> None:
    shown = tmp_path / "console"
    with shown.open("w") as stream:
        supervisor._console = console = Console(stream)
        supervisor.start(child(script, "print('to be seen', flush=True); import time; time.sleep(600)", shown=True))
        wait_for(lambda: "to be seen" in shown.read_text(), "it is shown")
        supervisor.stop()
        console.close()
    assert "to be seen" in supervisor.log("child").read_text()


def test_a_killed_one_comes_back_as_a_fork(supervisor: Supervisor, server: ForkServer, script: Path) -> None:
    supervisor.start(child(script, SAYING))
    said(supervisor)
    old = supervisor.pids()["child"]
    os.kill(old, SIGKILL)
    assert supervisor.wait_for(lambda: supervisor.pids().get("child", old) != old, 30)
    wait_for(lambda: supervisor.log("child").read_text().count(" True ") == 2, "it is a fork again")


def test_without_the_server_children_are_launched(supervisor: Supervisor, server: ForkServer, script: Path) -> None:
    os.kill(server.pid, SIGKILL)
    supervisor.start(child(script, SAYING))
    assert "[] False" in said(supervisor)


def test_a_child_with_an_environment_of_its_own_is_launched(
    supervisor: Supervisor, server: ForkServer, script: Path
) -> None:
    script.write_text(SAYING)
    environment = {**os.environ, "ANOTHER": "1"}
    command = (sys.executable, str(script))
    supervisor.start(Child(name="child", command=command, environment=environment, forked=True))
    assert "[] False" in said(supervisor)


def test_orphans_that_the_supervisor_adopts_are_collected(
    supervisor: Supervisor, server: ForkServer, script: Path
) -> None:
    supervisor.start(child(script, LEAVING))
    wait_for(lambda: supervisor.log("child").read_text().endswith("\n"), "it has started them")
    orphan = int(supervisor.log("child").read_text())
    assert supervisor.wait_for(lambda: not psutil.pid_exists(orphan), 30)


def test_forks_end_with_a_supervisor_that_is_killed(supervisor: Supervisor, server: ForkServer, script: Path) -> None:
    supervisor.start(child(script, "import signal, time; signal.signal(15, signal.SIG_IGN)\n" + SAYING))
    said(supervisor)
    family = [psutil.Process(supervisor.pids()["child"]), psutil.Process(server.pid)]
    # what the kernel does then: nobody holds the guard's pipe any more
    assert supervisor._guard.stdin
    supervisor._guard.stdin.close()
    supervisor._guard.wait(10)
    supervisor.tick()
    all_gone(family)


def test_what_cannot_be_loaded_says_why_and_changes_nothing(
    supervisor: Supervisor, server: ForkServer, tmp_path: Path, script: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def broken(:")
    command = (sys.executable, "-m", "config.stack.forkserver", str(broken))
    other = supervisor.load(Child(name="other", command=command, environment=os.environ))
    assert supervisor.wait_for(other.settled, 60)
    assert other.problem() == f"{broken}, line 1: SyntaxError: invalid syntax"
    supervisor.unload(other)
    supervisor.start(child(script, SAYING))
    assert " True " in said(supervisor)
