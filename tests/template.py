"""The test database's tables are made once, while the tests are collected; each worker's database is a copy.

    python -m tests.template     # makes MIGRATED on the server of DATABASE_URL, beside that database

Migrations take five seconds of CPU, a copy a tenth of one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

UNFINISHED, MIGRATED = "migrating", "migrated"


def start() -> subprocess.Popen[bytes]:
    """Begin to make it."""
    command = [sys.executable, "-m", "tests.template"]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def is_there() -> bool:
    """Whether it has been made."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [MIGRATED])
        return found.fetchone() is not None


def main() -> None:
    """Migrate a new database, then give it its name: what fails here fails, and is shown, in the copies."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        run: Callable[[sql.Composed], object] = connection.execute
        run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(UNFINISHED)))
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{UNFINISHED}").geturl()
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, env=os.environ | {"DATABASE_URL": url}, check=False)
        run(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(UNFINISHED), sql.Identifier(MIGRATED)))


if __name__ == "__main__":
    main()
