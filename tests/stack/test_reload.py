"""Saved code runs a moment later, code that cannot be loaded changes nothing, and none of it looks like a failure."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

import psutil
import pytest

from config.server.ports import free_port
from config.stack import loading
from config.stack.changes import QUIET_MILLISECONDS, Changes
from config.stack.child import Child
from config.stack.console import Console
from config.stack.plan import CODE, ROOT, Plan
from config.stack.reload import Reloader
from config.stack.supervisor import Supervisor
from tests.stack.mini import STUBBORN
from tests.stack.programs import all_gone
from tests.waiting import wait_for

# says which code it has loaded, and waits
PROGRAM = "exec(open('code.py').read()); print(VERSION, flush=True); import time; time.sleep(600)"
# loads the code and ends, as a fork server does where there are no forks
LOADING = "import sys; [compile(open(name).read(), name, 'exec') for name in sys.argv[1:]]"
# breaks the code that it has found to be good, and ends when that is noticed
BREAKING = """
import os, sys, time

with open(sys.argv[1], "a") as code:
    code.write("(")
while not os.path.exists("noticed"):
    time.sleep(0.05)
"""


@dataclass
class Small:
    """A stack of two small programs that are made of the code in `folder`."""

    folder: Path
    supervisor: Supervisor
    reloader: Reloader
    said: Callable[[], str]

    def save(self, code: str) -> None:
        """Save the code, wait until it is noticed, and reload."""
        (self.folder / "code.py").write_text(code)
        assert self.supervisor.wait_for(self.reloader.changes.waiting, 30)
        self.reloader.reload()

    def loaded(self, name: str) -> list[str]:
        """The versions that the program has loaded so far."""
        return self.supervisor.log(name).read_text().split()


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with (tmp_path / "console").open("w") as stream:
        console = Console(stream)
        yield console
        console.close()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    return folder


@pytest.fixture
def changes(code: Path) -> Iterator[Changes]:
    """The changes of the code, once they are noticed."""
    with Changes([code], lambda _: None) as changes:

        def noticed() -> bool:
            (code / "first.py").touch()
            return changes.waiting()

        wait_for(noticed, "changes are noticed")
        # the last touch has a file of its own behind it
        (code / "last.py").touch()
        wait_for(lambda: code / "last.py" in changes.take(), "all is noticed")
        yield changes


@pytest.fixture
def small(tmp_path: Path, code: Path, console: Console, changes: Changes) -> Iterator[Small]:
    with Supervisor(tmp_path / "logs", console) as supervisor:

        def loaded(name: str) -> list[str]:
            log = supervisor.log(name)
            return log.read_text().split() if log.exists() else []

        def as_saved(name: str) -> bool:
            return loaded(name)[-1] in (code / "code.py").read_text()

        (code / "code.py").write_text("VERSION = 'one'")
        wait_for(lambda: code / "code.py" in changes.take(), "the first version is noticed")
        for name in "web", "worker":
            command = (sys.executable, "-c", PROGRAM)
            supervisor.start(Child(name=name, command=command, environment=os.environ, folder=code))
        assert supervisor.wait_for(lambda: loaded("web") == loaded("worker") == ["one"], 30)

        reloader = Reloader(
            supervisor=supervisor,
            console=console,
            changes=changes,
            fork_server=Child(name="loading", command=(sys.executable, "-c", LOADING), environment=os.environ),
            restarted=["web", "worker"],
            web_answers=lambda: as_saved("web"),
            workers_ready=lambda: lambda: as_saved("worker"),
        )
        yield Small(code, supervisor, reloader, (tmp_path / "console").read_text)


def test_saved_code_runs_and_what_cannot_be_loaded_changes_nothing(small: Small) -> None:
    first = small.supervisor.pids()
    small.save("VERSION = 'second'")
    second = small.supervisor.pids()
    assert not set(second.values()) & set(first.values())
    assert small.loaded("web")[-1] == small.loaded("worker")[-1] == "second"
    small.save("VERSION = 'third")
    assert small.supervisor.pids() == second
    small.save("VERSION = 'fourth'")
    assert small.loaded("web")[-1] == small.loaded("worker")[-1] == "fourth"
    wait_for(lambda: small.said().count("reloaded in") == 2, "it says so")
    assert small.said().count(f"reloading: {small.folder}/code.py\n") == 2
    (refused,) = (line for line in small.said().splitlines() if "not reloaded" in line)
    assert "SyntaxError: unterminated string literal" in refused
    assert len(small.said().splitlines()) == 5
    assert small.supervisor.failures("worker") == 0


def test_what_is_saved_while_the_code_is_tried_is_tried_again(small: Small) -> None:
    code, noticed = small.folder / "code.py", small.folder / "noticed"
    good = small.reloader.fork_server
    command = (sys.executable, "-c", BREAKING)
    small.reloader.fork_server = Child(name="loading", command=command, environment=os.environ, folder=small.folder)

    def notice() -> None:
        wait_for(lambda: code.read_text().endswith("(") and small.reloader.changes.waiting(), "it is noticed")
        noticed.touch()

    before = small.supervisor.pids()
    with ThreadPoolExecutor(1) as beside:
        noticing = beside.submit(notice)
        small.save("VERSION = 'broken'")
        noticing.result()
    small.reloader.fork_server = good
    small.reloader.reload()
    assert small.supervisor.pids() == before
    wait_for(lambda: "not reloaded" in small.said(), "it says so")
    assert "reloading" not in small.said()


def test_what_make_run_itself_has_loaded_needs_another_start(small: Small) -> None:
    before = small.supervisor.pids()
    small.reloader.changes._saved.put({ROOT / "config" / "stack" / "run.py"})
    small.reloader.reload()
    assert small.supervisor.pids() == before
    wait_for(lambda: "config/stack/run.py: start `make run` again" in small.said(), "it says so")


def test_saves_that_follow_each_other_come_together(code: Path, changes: Changes) -> None:
    saved = {code / f"module_{number}.py" for number in range(20)} | {code / "page.html", code / "mail.txt"}
    for ignored in "module_1.py~", ".module_1.py.swp", ".#module_1.py", "style.css", "notes.md":
        (code / ignored).touch()
    for path in saved:
        path.touch()
        # as long as one save may be behind the other
        time.sleep(QUIET_MILLISECONDS / 10_000)
    groups: list[set[Path]] = []

    def all_came() -> bool:
        if changes.waiting():
            groups.append(changes._saved.get())
        return set().union(*groups) >= saved

    wait_for(all_came, "they are noticed")
    assert set().union(*groups) == saved
    # one, unless the machine stands still meanwhile
    assert len(groups) < 5


def test_somebody_is_told_if_changes_cannot_be_noticed(tmp_path: Path) -> None:
    said: list[str] = []
    with Changes([tmp_path / "nowhere"], said.append):
        wait_for(lambda: said, "it says so")
    assert said[0].startswith("saved files are not noticed")


def test_a_child_is_replaced_at_once_even_if_it_does_not_listen(tmp_path: Path, console: Console) -> None:
    with Supervisor(tmp_path / "logs", console) as supervisor:
        command = (sys.executable, "-c", f"print('up', flush=True); {STUBBORN}")
        supervisor.start(Child(name="stubborn", command=command, environment=os.environ, stop=((SIGTERM, 0.3),)))
        old = psutil.Process(supervisor.pids()["stubborn"])
        wait_for(lambda: "up" in supervisor.log("stubborn").read_text(), "it is up")
        supervisor.replace("stubborn")
        assert supervisor.wait_for(lambda: not supervisor.replacing(), 30)
        all_gone([old])
        new = psutil.Process(supervisor.pids()["stubborn"])
        assert new.pid != old.pid
        # in the middle of the next one
        supervisor.replace("stubborn")
        supervisor.tick()
        supervisor.stop()
        all_gone([new], seconds=1)
        assert (tmp_path / "console").read_text() == ""


def test_what_cannot_be_loaded_is_named_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "load", lambda: None)
    good, broken = tmp_path / "good.py", tmp_path / "broken.py"
    good.write_text("fine = 1")
    broken.write_text("fine = 1\ndef broken(:\n")
    loading.load_or_exit([str(good), str(tmp_path / "deleted.py"), str(tmp_path / "page.html")])
    assert refused(str(good), str(broken)) == f"{broken}, line 2: SyntaxError: invalid syntax"


def test_and_with_our_own_code_and_not_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        exec(compile("\nimport json\njson.loads('x')", ROOT / "apps" / "users" / "services.py", "exec"))

    monkeypatch.setattr(loading, "load", load)
    assert refused().startswith("apps/users/services.py, line 3: json.decoder.JSONDecodeError: Expecting value")


def refused(*files: str) -> str:
    """What the attempt to load these files ends with."""
    with pytest.raises(SystemExit) as end:
        loading.load_or_exit(list(files))
    return str(end.value.code)


@pytest.mark.parametrize(("value", "watched"), [("", CODE), ("1", CODE), ("0", ()), ("False", ()), ("off", ())])
def test_it_can_be_turned_off(value: str, watched: tuple[Path, ...]) -> None:
    assert Plan.from_environment({"PORT": str(free_port()), "RELOAD": value}).watched == watched
