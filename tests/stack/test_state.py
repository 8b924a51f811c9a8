"""The state folder: one copy at a time, any number side by side, and no data or process lost to a SIGKILL."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from config.stack.plan import ROOT
from config.stack.state import read_addresses
from tests.stack.programs import all_gone, clean, kill, living, running

MINI = ("-m", "tests.stack.mini")


def addresses(state_dir: Path) -> tuple[str, str]:
    found = read_addresses(state_dir / "env")
    return found["DATABASE_URL"], found["REDIS_URL"]


def test_sigkill_of_everything_loses_no_data(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(tmp_path, *MINI, str(state)) as program:
        program.says("ready")
        database, cache = addresses(state)
        with psycopg.connect(database) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        with redis.Redis.from_url(cache) as valkey:
            valkey.set("kept", "42")
        everything = program.family()
        kill(everything)
        all_gone(everything)
    with running(tmp_path, *MINI, str(state)) as program:
        program.says("ready")
        database, cache = addresses(state)
        with psycopg.connect(database) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        with redis.Redis.from_url(cache) as valkey:
            assert valkey.get("kept") == b"42"
        family = program.family()
        assert program.stop() == 0
        all_gone(family, seconds=1)


def test_sigkill_of_the_parent_leaves_nobody_and_the_next_start_waits_for_that(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(tmp_path, *MINI, str(state)) as program:
        program.says("ready")
        query = threading.Thread(target=count_for_ever, args=(addresses(state)[0],))
        query.start()
        family = program.family()
        # two of the family, the database's own processes, the cache, the guard
        assert len(family) > 8
        program.popen.kill()
        program.popen.wait()
        with running(tmp_path, *MINI, str(state)) as again:
            again.says("ready")
            assert not living(family)
            assert again.stop() == 0
        query.join(5)
        assert not query.is_alive()


def count_for_ever(database: str) -> None:
    """Keep a database process busy: one that never waits is late to notice that its parent is gone."""
    with pytest.raises(psycopg.OperationalError), psycopg.connect(database) as connection:
        connection.execute("SELECT count(*) FROM generate_series(1, 100000000000)")


def test_a_second_copy_is_refused_in_the_same_folder_and_welcome_in_another(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with running(tmp_path, *MINI, str(first)) as one:
        one.says("ready")
        command = [sys.executable, *MINI, str(first)]
        refused = subprocess.run(command, cwd=ROOT, env=clean({}), capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert f"process {one.popen.pid}" in refused.stderr
        with running(tmp_path, *MINI, str(second)) as two:
            two.says("ready")
            assert set(addresses(first)).isdisjoint(addresses(second))
            for database, _ in addresses(first), addresses(second):
                psycopg.connect(database).close()
            assert two.stop(signal.SIGTERM) == 0
        assert psutil.Process(one.popen.pid).is_running()
        psycopg.connect(addresses(first)[0]).close()


def test_manage_py_that_finds_no_stack_says_where_it_has_looked(tmp_path: Path) -> None:
    environment = clean({"STATE_DIR": str(tmp_path / "elsewhere")})
    command = [sys.executable, "manage.py", "outbox"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    for name in "DATABASE_URL", "REDIS_URL":
        missing = f"{name} is missing: run `make run`, which starts one, with the same STATE_DIR as here"
        assert f"{missing} ({tmp_path}/elsewhere)" in done.stderr
