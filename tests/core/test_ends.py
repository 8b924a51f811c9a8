"""How a command ends: without a search for garbage, and without a connection that the server takes for lost."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.processes import ROOT
from tests.waiting import wait_for

ENDED = """
    SELECT sessions_abandoned FROM pg_stat_database AS kept WHERE datname = %(name)s AND sessions > 0
    AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = kept.datname)"""


def test_it_does_not_look_for_garbage() -> None:
    # what is registered first is called last
    look = "import atexit, gc; atexit.register(lambda: print('frozen', gc.get_freeze_count() > 0))"
    run = "import runpy, sys; sys.argv = ['manage.py', 'version']; runpy.run_path('manage.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", f"{look}; {run}"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    assert done.stdout.endswith(b"frozen True\n")


@pytest.fixture
def own_database() -> Iterator[tuple[psycopg.Connection, str]]:
    """A database of the test's own, and a connection to another one that sees it."""
    name = f"ends_{uuid.uuid4().hex}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield connection, name
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_it_takes_leave_of_the_database(own_database: tuple[psycopg.Connection, str]) -> None:
    """Else the server's log has a line for each command, if its clients come by TLS."""
    connection, name = own_database
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    command = [sys.executable, "manage.py", "showmigrations", "core"]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, stdout=subprocess.DEVNULL, check=True)
    abandoned = wait_for(lambda: connection.execute(ENDED, {"name": name}).fetchone(), "its connections have ended")
    assert abandoned == (0,)
