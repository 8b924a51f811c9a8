"""Other accounts of the machine get nothing from the stack: no file, no log-in, no process with root's rights."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg
import pytest
import redis

from config.stack import account
from config.stack.postgres import Postgres
from config.stack.state import StateError, locked
from config.stack.throwaway import Services, throwaway_services
from config.stack.valkey import Valkey
from config.stack.wheels import ServiceError, draw_password, remembered
from tests.stack.outsider import as_outsider, as_root

T = TypeVar("T")
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with throwaway_services() as running:
        yield running


def server_processes(services: Services) -> list[psutil.Process]:
    found = []
    for pid in services.supervisor.pids().values():
        found += [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return found


def of_each(services: Services, ask: Callable[[psutil.Process], T]) -> list[T]:
    """`ask` of every server process; PostgreSQL's come and go, and one that has gone is left out."""
    answers = []
    for process in server_processes(services):
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            answers.append(ask(process))
    return answers


def kernel_status(process: psutil.Process) -> dict[str, str]:
    """What the kernel says of the process, by name."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@as_root
def test_started_by_root_no_server_process_has_roots_rights(services: Services) -> None:
    found = of_each(services, kernel_status)
    assert len(found) > 5
    for status in found:
        assert set(status["Uid"].split()) == {"65534"}, status["Name"]
        assert "0" not in status["Gid"].split()
        assert status["Groups"].strip() == ""
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_no_command_line_and_no_environment_of_a_server_has_a_secret(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "not for the database")
    secrets = {services.postgres.password, services.valkey.password}
    for words in of_each(services, psutil.Process.cmdline):
        assert not any(secret in " ".join(words) for secret in secrets)
    for child in services.postgres.child(), services.valkey.child():
        assert not any(secret in repr(child) for secret in secrets)
        assert "SECRET_KEY" not in child.environment


@pytest.mark.parametrize("user", ["app", "postgres"])
@pytest.mark.parametrize("password", ["", "app", "postgres"])
def test_postgresql_lets_nobody_in_without_the_password(services: Services, user: str, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"password|pg_hba"):
        psycopg.connect(
            host="127.0.0.1", port=services.postgres.port, user=user, password=password, dbname="app", connect_timeout=5
        )


def test_the_superuser_cannot_log_in_even_with_a_password(services: Services) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(services.postgres.url().replace("//app:", "//postgres:"), connect_timeout=5)


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "CREATE TEMP TABLE t (x text); COPY t FROM PROGRAM 'id'",
        "CREATE TEMP TABLE t (x text); COPY t FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/by-the-database'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "CREATE EXTENSION file_fdw",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc.so.6', 'getpid'",
        "ALTER SYSTEM SET archive_command = 'true'",
        "ALTER ROLE app SUPERUSER",
        "GRANT pg_execute_server_program TO app",
        "SET ROLE postgres",
    ],
)
def test_app_reads_no_file_starts_no_program_and_cannot_rise(services: Services, statement: str) -> None:
    with (
        psycopg.connect(services.postgres.url(), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_app_makes_the_extensions_of_the_migrations_and_databases_for_tests(services: Services) -> None:
    with psycopg.connect(services.postgres.url(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_trgm; DROP EXTENSION pg_trgm")
        connection.execute("CREATE DATABASE another")
        connection.execute("DROP DATABASE another")


def test_valkey_answers_nobody_without_the_password(services: Services) -> None:
    for url in (f"redis://127.0.0.1:{services.valkey.port}/0", f"redis://:wrong@127.0.0.1:{services.valkey.port}/0"):
        with redis.Redis.from_url(url) as valkey, pytest.raises(redis.AuthenticationError):
            valkey.ping()
    with redis.Redis.from_url(services.valkey.url()) as valkey:
        assert valkey.ping()


@as_root
def test_another_account_reaches_no_file_of_the_stack(services: Services) -> None:
    folder = services.postgres.folder.parent
    reach = "\n".join(
        [
            "for path in sys.argv[1:]:",
            "    try: os.listdir(path); print(path)",
            "    except PermissionError: pass",
        ]
    )
    assert as_outsider(reach, str(folder), str(folder / "pg"), str(folder / "valkey"), str(folder / "logs")) == ""
    pids = [str(process.pid) for process in server_processes(services)]
    assert as_outsider(reach, *[f"/proc/{pid}/cwd" for pid in pids]) == ""


@as_root
def test_a_place_that_nobody_cannot_reach_is_named_with_the_remedy() -> None:
    with tempfile.TemporaryDirectory() as name:
        program = Path(name) / "project" / "postgres"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        # pytest's temporary folder is closed to other accounts
        assert f"`chmod o+x {name}` would" in account.obstacle(program)
        Path(name).chmod(0o711)
        account.obstacle.cache_clear()
        assert account.obstacle(program) == ""


@as_root
def test_a_server_that_cannot_run_as_nobody_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.stack.wheels.obstacle", lambda program: "/root lets no other account through")
    for child in Postgres(tmp_path / "pg", 1).child, Valkey(tmp_path / "valkey", 1).child:
        with pytest.raises(ServiceError) as refused:
            child()
        assert "/root lets no other account through" in str(refused.value)
        assert "_URL to a server of your own" in str(refused.value)


def test_a_database_of_a_version_that_trusted_everybody_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("18\n")
    (tmp_path / "pg_hba.conf").write_text("# trust\nhost all all 127.0.0.1/32 trust\n")
    with pytest.raises(ServiceError, match=r"open to every account .* Move the folder away"):
        Postgres(tmp_path, 1).prepare(lambda child: pytest.fail("nothing is to be run"))


def test_the_password_is_kept_from_one_start_to_the_next_and_no_other_is_taken_over() -> None:
    password = draw_password()
    assert remembered(f"postgresql://app:{password}@127.0.0.1:5433/app") == (5433, password)
    for url in (
        f"postgres://app:{password}@db.example.com/app",
        "postgres://app:'x@127.0.0.1/app",
        "redis://a:b:c",
        "",
    ):
        port, drawn = remembered(url)
        assert port is None
        assert len(drawn) > 40
        assert drawn != password


def test_the_state_folder_is_closed_even_if_it_was_open(tmp_path: Path) -> None:
    for name in "new", "earlier":
        folder = tmp_path / name
        if name == "earlier":
            folder.mkdir(mode=0o755)
            (folder / "lock").touch()
        with locked(folder, "a test"):
            assert not folder.stat().st_mode & OTHERS
            assert not any(path.stat().st_mode & OTHERS for path in folder.rglob("*"))


def test_a_folder_of_others_or_for_others_is_no_state_folder(tmp_path: Path) -> None:
    shared, full = tmp_path / "shared", tmp_path / "full"
    for folder, mode in (shared, 0o1777), (full, 0o755):
        folder.mkdir()
        folder.chmod(mode)
    (full / "thesis.txt").touch()
    for folder in shared, full:
        with pytest.raises(StateError, match="name a folder of its own"), locked(folder, "a test"):
            pytest.fail("it was taken")
        assert folder.stat().st_mode & OTHERS
    if os.geteuid() == 0:
        os.chown(full, 65533, -1)
        with pytest.raises(StateError, match="belongs to another account"), locked(full, "a test"):
            pytest.fail("it was taken")
