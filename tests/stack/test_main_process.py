"""The web server's main process only looks after its workers: it has loaded neither Django nor the settings."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import psutil

from config.server.ports import free_port
from tests import loopback
from tests.stack.programs import Program, running
from tests.waiting import wait_for

ASKED = """
import sys
from config.server.apart import apart

def ask():
    import decimal
    {}

print("answered", apart(ask), "decimal" in sys.modules)
"""


def asked(folder: Path, *, body: str) -> tuple[int, str]:
    """Exit status and output of a program that runs `body` apart."""
    with running(folder, "-c", ASKED.format(body)) as program:
        return program.popen.wait(60), program.output()


def test_what_a_function_loads_is_gone_when_it_has_answered(tmp_path: Path) -> None:
    assert asked(tmp_path, body="return decimal.Decimal(7)") == (0, "answered 7 True\n")
    assert asked(tmp_path, body="return int(decimal.Decimal(7))") == (0, "answered 7 False\n")


def test_what_ends_the_function_ends_its_program_and_is_said_once(tmp_path: Path) -> None:
    assert asked(tmp_path, body="sys.exit('no such thing')") == (1, "no such thing\n")
    status, said = asked(tmp_path, body="raise ValueError('no such value')")
    assert (status, said.count("Traceback"), said.count("ValueError: no such value")) == (1, 1, 1)
    # as by a lack of memory
    ended = asked(tmp_path, body="import os; os.kill(os.getpid(), 9)")
    assert ended == (1, "the process that was to ask was ended by signal 9\n")


def test_settings_come_from_files_and_leave_nothing_behind(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "env").write_text(
        f"DATABASE_URL=postgres://nobody@127.0.0.1:1/none\nREDIS_URL=redis://127.0.0.1:1\nPORT={port}\nWEB_WORKERS=2\n"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "config.settings.development", "STATE_DIR": str(tmp_path)}
    with running(tmp_path, "-m", "config.server", **environment) as program:
        wait_for(lambda: well(port), "it listens where the file says")
        wait_for(lambda: len(workers(program)) == 2, "as many workers as the file says", 30)
        main = program.family()[0]
        if sys.platform == "linux":
            # the driver of the database, which the settings need to be read
            wait_for(lambda: all(loaded(worker, "psycopg") for worker in workers(program)), "they load the service")
            assert not loaded(main, "psycopg")
        assert program.family()[1:] == workers(program), "only workers: nobody cleans up what nobody has"


def well(port: int) -> bool:
    """Whether the server answers."""
    try:
        return loopback.get(f"http://127.0.0.1:{port}/healthz").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def workers(program: Program) -> list[psutil.Process]:
    """The processes that can answer."""
    return [one for one in program.family()[1:] if "worker" in " ".join(one.cmdline())]


def loaded(process: psutil.Process, library: str) -> bool:
    """Whether a part of the library that is written in C is in the process."""
    return any(library in mapped.path for mapped in process.memory_maps())
