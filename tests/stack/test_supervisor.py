"""The supervisor keeps its children running, and ends each of them with all that it started."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM

import psutil
import pytest

from config.stack.child import Child
from config.stack.console import Console
from config.stack.plan import relay, web
from config.stack.supervisor import Interrupted, Supervisor
from tests.stack.mini import FAMILY, IGNORING, STUBBORN
from tests.stack.programs import all_gone
from tests.waiting import wait_for


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "logs") as supervisor:
        yield supervisor


def python(name: str, code: str, **more: object) -> Child:
    return Child(name=name, command=(sys.executable, "-c", code), environment=os.environ, **more)  # type: ignore[arg-type]


def with_children(supervisor: Supervisor, name: str, number: int) -> list[psutil.Process]:
    """The child `name` and its `number` children, once they are all there."""
    root = psutil.Process(supervisor.pids()[name])
    wait_for(lambda: len(root.children(recursive=True)) == number, f"{name} has {number} children")
    return [root, *root.children(recursive=True)]


def test_a_killed_child_is_started_again_and_nothing_of_the_old_one_is_left(supervisor: Supervisor) -> None:
    supervisor.start(python("family", FAMILY, stop=((SIGTERM, 0.3),)))
    old = with_children(supervisor, "family", 2)
    old[0].send_signal(SIGKILL)
    assert supervisor.wait_for(lambda: supervisor.pids().get("family", old[0].pid) != old[0].pid, 10)
    all_gone(old)
    assert psutil.Process(supervisor.pids()["family"]).is_running()


def test_a_child_that_keeps_dying_is_started_less_and_less_often(supervisor: Supervisor, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    supervisor.start(python("dying", f"import time; open({str(starts)!r}, 'a').write(f'{{time.monotonic()}}\\n')"))

    def moments() -> list[float]:
        return [float(line) for line in starts.read_text().split()] if starts.exists() else []

    assert supervisor.wait_for(lambda: len(moments()) >= 4, 15)
    first, second, third, fourth = moments()[:4]
    assert second - first >= 0.2
    assert third - second >= 0.4
    assert fourth - third >= 0.8
    assert supervisor.failures("dying") >= 3


def test_stop_ends_even_those_that_do_not_listen(supervisor: Supervisor) -> None:
    supervisor.start(python("family", FAMILY, stop=((SIGTERM, 0.3),)))
    family = with_children(supervisor, "family", 2)
    begun = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - begun < 5
    all_gone(family, seconds=1)


def test_the_highest_tier_stops_first(supervisor: Supervisor, tmp_path: Path) -> None:
    def noting(name: str) -> str:
        note = f"lambda *_: (open({str(tmp_path / name)!r}, 'w').write(str(time.monotonic())), sys.exit())"
        return f"import signal, sys, time; signal.signal(15, {note}); print('up', flush=True); time.sleep(600)"

    supervisor.start(python("base", noting("base"), tier=0))
    supervisor.start(python("top", noting("top"), tier=1))
    for name in "base", "top":
        wait_for(lambda name=name: "up" in supervisor.log(name).read_text(), f"{name} is up")  # type: ignore[misc]
    supervisor.stop()
    assert float((tmp_path / "top").read_text()) < float((tmp_path / "base").read_text())


def test_a_guard_that_was_killed_is_replaced_and_knows_everyone(supervisor: Supervisor) -> None:
    supervisor.start(python("stubborn", f"{IGNORING}; print('up', flush=True); time.sleep(600)"))
    wait_for(lambda: "up" in supervisor.log("stubborn").read_text(), "the child is up")
    child = psutil.Process(supervisor.pids()["stubborn"])
    guard = supervisor._guard
    guard.kill()
    wait_for(lambda: guard.poll() is not None, "the guard is dead")
    supervisor.tick()
    assert supervisor._guard.pid != guard.pid
    # what the kernel does when the supervisor itself is killed
    assert supervisor._guard.stdin
    supervisor._guard.stdin.close()
    supervisor._guard.wait(10)
    all_gone([child], seconds=1)


def test_a_one_shot_tells_its_status_and_output(supervisor: Supervisor) -> None:
    outcome = supervisor.run_once(python("one", "import sys; print('out'); sys.exit('err')"))
    assert (outcome.status, sorted(outcome.output.split())) == (1, ["err", "out"])


def test_a_stop_interrupts_whatever_waits(supervisor: Supervisor) -> None:
    supervisor.stopping.set()
    with pytest.raises(Interrupted):
        supervisor.run_once(python("long", STUBBORN))
    with pytest.raises(Interrupted):
        supervisor.wait_for(lambda: False, 60)


@pytest.fixture
def unread() -> Iterator[Console]:
    """A console on a pipe that nobody reads."""
    reading, writing = os.pipe()
    with open(writing, "w") as stream:
        console = Console(stream)
        yield console
        # its writer is stuck in the full pipe until there is no reader any more
        os.close(reading)
        console.close(5)


def test_a_terminal_that_nobody_reads_holds_up_no_child(tmp_path: Path, unread: Console) -> None:
    done = tmp_path / "done"
    code = f"print(('y' * 99 + '\\n') * 20_000); open({str(done)!r}, 'w').close(); import time; time.sleep(600)"
    with Supervisor(tmp_path / "logs", unread) as supervisor:
        supervisor.start(python("chatty", code, shown=True))
        assert supervisor.wait_for(done.exists, 15)
        wait_for(lambda: supervisor.log("chatty").read_text().count("y" * 99) == 20_000, "the file has all lines")


def test_the_terminal_leaves_out_the_looks_of_the_tour_and_nothing_else() -> None:
    shown = web({}, 0)
    line = "request_finished         duration_ms=2.28 ip=127.0.0.1 method=GET path={} request_id=3ab status={}"
    assert shown.leaves_out(line.format("/tour/now", 200))
    coloured = line.format("\x1b[35m/tour/now\x1b[0m", "\x1b[35m200\x1b[0m").replace("finished", "finished\x1b[0m")
    assert shown.leaves_out(coloured)
    others = (("/tour/now", 500), ("/tour/registration", 200), ("/tour/nowhere", 200), ("/api/v1/users", 200))
    assert not any(shown.leaves_out(line.format(*one)) for one in others)
    assert not relay({}).leaves_out(line.format("/tour/now", 200))
