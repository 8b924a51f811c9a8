"""Where the measured processes run: a throw-away PostgreSQL and Valkey, a database of its own for each part."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from config.stack.plan import ROOT
from config.stack.postgres import Postgres
from config.stack.throwaway import throwaway_services
from config.stack.valkey import Valkey

MIGRATED = "app"
STAFF = "staff@example.com"
MIB = 2**20
# what a developer's shell or .env may set, which must not change the figures
QUIET = {
    "SENTRY_DSN": "",
    "EXTERNAL_API_URL": "",
    "API_V1_SUNSET": "",
    "CELERY_BROKER_URL": "",
    "LOG_LEVEL": "",
}


@dataclass
class Stack:
    """Two running servers, and a folder for logs; `migrated` is the database that the others are copied from."""

    postgres: Postgres
    valkey: Valkey
    folder: Path
    parts: int = 0

    def part(self, name: str) -> Part:
        """A freshly migrated database and an empty Valkey database."""
        self.parts += 1
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as admin:
            names = {"name": sql.Identifier(name), "origin": sql.Identifier(MIGRATED)}
            admin.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {origin}").format(**names))
        folder = self.folder / name
        folder.mkdir()
        return Part(self.postgres.url(name), self.valkey.url(self.parts), folder)


@dataclass(frozen=True)
class Part:
    """What one part of the bench has to itself."""

    database_url: str
    redis_url: str
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process of the service, with production's settings and no limit on requests."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST_", "OTEL_"))
        }
        return {
            **inherited,
            **QUIET,
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": "only-for-the-bench-only-for-the-bench-only",
            "ALLOWED_HOSTS": "127.0.0.1",
            "ACCESS_TOKEN_EXPIRE_MINUTES": "1440",
            "RATE_LIMIT_PER_MINUTE": "1000000000",
            "LOGIN_RATE_LIMIT_PER_MINUTE": "1000000000",
            "WEBHOOK_ALLOW_PRIVATE_NETWORKS": "true",
            "EMAIL_URL": "dummymail://",
            "STATE_DIR": str(self.folder),
            "LOG_STREAM": "stderr",
            # warnings of the interpreter would end up between the log lines
            "PYTHONWARNINGS": "ignore",
            **more,
        }

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection that commits each statement."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            yield connection

    def staff_token(self) -> str:
        """The token of a member of staff, whom it makes."""
        self.manage("create_user", STAFF, "--name", "Staff", "--staff")
        return self.manage("issue_token", STAFF).split()[-1]

    def users(self) -> int:
        """How many users there are."""
        with self.database() as database:
            row = database.execute("SELECT count(*) FROM users_user").fetchone()
        return int(row[0]) if row else 0

    def manage(self, *words: str) -> str:
        """Run a manage.py command to its end; returns what it printed. Raises RuntimeError if it fails."""
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(words)} failed:\n{done.stderr.strip()[-2000:]}")
        return done.stdout


def people_csv(name: str, count: int) -> str:
    """A file of `count` people whose e-mails begin with `name`."""
    return "email,name\n" + "".join(f"{name}{i}@example.com,User Number {i}\n" for i in range(count))


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Start both servers, migrate, and stop them in the end. Raises ServiceError."""
    with throwaway_services() as services:
        stack = Stack(services.postgres, services.valkey, folder)
        Part(services.postgres.url(MIGRATED), services.valkey.url(), folder).manage("migrate", "--verbosity", "0")
        yield stack


def tree(pid: int) -> list[psutil.Process]:
    """The process and everything it started."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """CPU time of the process and of everything it started so far."""
    return float(sum(sum(process.cpu_times()[:2]) for process in tree(pid)))


def rss_mib(pid: int) -> float:
    """Resident memory of the process and of everything it started, in MiB; pages that they share count for each."""
    return float(sum(process.memory_info().rss for process in tree(pid)) / MIB)
