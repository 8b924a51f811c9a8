"""`make run`: starts everything, from an empty folder to a ready service, and stops all of it again."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from apps.core.telemetry.slots import start_afresh
from config.files import read_env_file
from config.load import warnings_of
from config.reader import SettingsError
from config.server.ports import free_port
from config.server.serve import AddressError, listen
from config.stack.changes import Changes
from config.stack.child import Child
from config.stack.closing import closing_lines
from config.stack.console import Console
from config.stack.forks import ForkServer
from config.stack.plan import DEMO_DATA, ROOT, Plan, PlanError, background, fork_server, prepare, relay, web
from config.stack.postgres import Postgres, database_answers
from config.stack.ready import web_answers, workers_ready
from config.stack.reload import Reloader
from config.stack.stand_ins import stand_ins
from config.stack.state import StateError, locked, read_addresses, write_addresses
from config.stack.supervisor import Interrupted, Supervisor
from config.stack.valkey import Valkey, listens
from config.stack.wheels import ServiceError, remembered

SERVICE_WITHIN = 30.0
WEB_WITHIN = 60.0
WORKERS_WITHIN = 60.0
FATAL_FAILURES = 3
LOG_LINES = 20


class BootError(Exception):
    """The stack cannot be brought up; the message says what failed, with its last lines."""


def main(arguments: list[str]) -> int:
    """Run the stack until SIGINT, SIGTERM or SIGHUP; returns the exit status.

    With `--with-parent` it also stops when the process that started it (make) is gone.
    """
    stopping = threading.Event()
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        # a person who starts it with nohup wants it to survive the terminal
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stopping.set())
    os.chdir(ROOT)
    # logs, mail, metrics: nothing that it or a child makes is for other accounts
    os.umask(0o077)
    console = Console(sys.stdout)
    if problems := read_env_file(ROOT / ".env").problems:
        for problem in problems:
            console.problem(problem)
        console.close()
        return 1
    parent = os.getppid() if "--with-parent" in arguments else None
    try:
        plan = Plan.from_environment(os.environ)
        for warning in warnings_of(os.environ):
            console.problem(f"Warning: {warning}")
        plan.check()
        with (
            locked(plan.state_dir, plan.url) as lock,
            listen(plan.host, plan.port) as listener,
            Supervisor(plan.state_dir / "logs", console, (lock,), stopping) as supervisor,
        ):
            return _run(_Boot(plan, supervisor, console, listener.fileno()), parent)
    except (AddressError, PlanError, SettingsError, StateError) as error:
        console.problem(str(error))
        return 1
    finally:
        console.close()


def _run(boot: _Boot, parent: int | None) -> int:
    status = 0
    console = boot.console

    def orphaned() -> bool:
        return parent is not None and os.getppid() != parent

    try:
        # from before any process reads the code
        with Changes(boot.plan.watched, console.problem) as changes:
            _serve(boot, changes, orphaned)
    except Interrupted:
        pass
    except (BootError, ServiceError) as error:
        console.problem(str(error))
        status = 1
    console.step("stopping")
    boot.supervisor.stop()
    console.step("stopped, nothing is left running")
    return status


def _serve(boot: _Boot, changes: Changes, orphaned: Callable[[], bool]) -> None:
    """Start everything and run what is saved, until `orphaned()`. Raises as `bring_up` does."""
    supervisor, console = boot.supervisor, boot.console
    addresses = boot.bring_up()
    ready = workers_ready(addresses)
    if not supervisor.wait_for(lambda: orphaned() or ready(), WORKERS_WITHIN):
        console.problem(f"after {WORKERS_WITHIN:.0f} s the workers are not ready: {boot.plan.url}/readyz says why")
        boot.start_relay()
        supervisor.wait_for(lambda: orphaned() or changes.waiting() or ready(), float("inf"))
    if orphaned():
        return
    boot.start_relay()
    if not changes.waiting():
        console.step("workers are ready")
    reloader = boot.reloader(changes, addresses)
    while True:
        supervisor.wait_for(lambda: orphaned() or changes.waiting(), float("inf"))
        if orphaned():
            return
        reloader.reload()


class _Boot:
    """Starts everything up to a ready service, one step after the other; `listener` is the web server's socket."""

    def __init__(self, plan: Plan, supervisor: Supervisor, console: Console, listener: int) -> None:
        self.plan = plan
        self.supervisor = supervisor
        self.console = console
        self._listener = listener
        self._relay: Child | None = None
        self._environment: Mapping[str, str] = {}

    def start_relay(self) -> None:
        """Start the relay, once: before there are workers its wake-ups would only run out, one after the other."""
        if self._relay is not None:
            self.supervisor.start(self._relay)
            self._relay = None

    def reloader(self, changes: Changes, addresses: Mapping[str, str]) -> Reloader:
        """What lets the processes that `bring_up` has started run the saved code."""
        return Reloader(
            supervisor=self.supervisor,
            console=self.console,
            changes=changes,
            fork_server=fork_server(self._environment, self._listener),
            restarted=("web", "relay", *(one.name for one in background(self._environment, self.plan.state_dir))),
            web_answers=lambda: web_answers(self.plan.url),
            workers_ready=lambda: workers_ready(addresses),
        )

    def bring_up(self) -> dict[str, str]:
        """Start everything, say where it is and return the addresses.

        Raises `BootError`, `ServiceError` or `Interrupted`.
        """
        given = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
        postgres, valkey = self._start_servers(given)
        addresses = {
            "DATABASE_URL": given["DATABASE_URL"] or postgres.url(),
            "REDIS_URL": given["REDIS_URL"] or valkey.url(),
        }
        with suppress(OSError):  # each process says that it cannot use it, and counts for itself
            start_afresh(self.plan.metrics_folder)
        played = [*stand_ins(os.environ)]
        for one in played:
            self.supervisor.start(one.child)
            self.console.step(one.said)
        lead = {name: value for one in played for name, value in one.settings.items()}
        environment = self._environment = self.plan.environment(addresses | lead, coloured=self.console.coloured)
        # it loads while the database starts
        server = self.supervisor.load(fork_server(environment, self._listener))
        self._reach_database(given["DATABASE_URL"], postgres)
        self._reach_cache(given["REDIS_URL"], valkey)
        write_addresses(self.plan.env_file, addresses)
        self._fork_from(server)
        first, self._relay = web(environment, self._listener), relay(environment)
        then = background(environment, self.plan.state_dir)
        self.console.expect(*(child.name for child in (first, self._relay, *then) if child.shown))
        demo = self._prepare(environment, seed=not given["DATABASE_URL"])
        self.supervisor.start(first)
        self._wait_for_web()
        # not sooner: there are fewer cores than processes, and the web server should be the first to answer
        for child in then:
            self.supervisor.start(child)
        self.console.step("workers are starting")
        more = {one.does: one.commands(self.plan) for one in played}
        self.console.say(closing_lines(self.plan, self.console, more, demo=demo))
        return addresses

    def _start_servers(self, given: Mapping[str, str]) -> tuple[Postgres, Valkey]:
        """Start PostgreSQL and Valkey unless others are given."""
        earlier = read_addresses(self.plan.env_file)
        cache_port, cache_password = remembered(earlier.get("REDIS_URL", ""))
        valkey = Valkey(self.plan.state_dir / "valkey", free_port(cache_port), cache_password)
        database_port, database_password = remembered(earlier.get("DATABASE_URL", ""))
        postgres = Postgres(self.plan.state_dir / "pg", free_port(database_port), database_password)
        if not given["REDIS_URL"]:
            self.supervisor.start(valkey.child())
        if not given["DATABASE_URL"]:
            if not postgres.folder.exists():
                self.console.step("creating a database")
            postgres.prepare(self.supervisor.run_once)
            self.supervisor.start(postgres.child())
        return postgres, valkey

    def _reach_database(self, given: str, postgres: Postgres) -> None:
        if given:
            if not self.supervisor.wait_for(lambda: database_answers(given), SERVICE_WITHIN):
                raise BootError("the database at DATABASE_URL takes no connection")
            self.console.step("PostgreSQL at DATABASE_URL answers")
        else:
            if not self.supervisor.wait_for(postgres.ready, SERVICE_WITHIN):
                raise BootError(f"PostgreSQL did not start:\n{self._last_lines('postgres')}")
            postgres.create_database()
            self.console.step(f"PostgreSQL on 127.0.0.1:{postgres.port}")

    def _reach_cache(self, given: str, valkey: Valkey) -> None:
        if given:
            if not self.supervisor.wait_for(lambda: listens(given), SERVICE_WITHIN):
                raise BootError("nothing listens at REDIS_URL")
            self.console.step("Valkey at REDIS_URL answers")
        else:
            if not self.supervisor.wait_for(valkey.ready, SERVICE_WITHIN):
                raise BootError(f"Valkey did not start:\n{self._last_lines('valkey')}")
            self.console.step(f"Valkey on 127.0.0.1:{valkey.port}")

    def _fork_from(self, server: ForkServer) -> None:
        """Start all that follow as forks of the process that has loaded the service."""
        self.supervisor.wait_for(server.settled, float("inf"))
        if problem := server.problem():
            raise BootError(f"{problem}\nthe service cannot be loaded")
        self.supervisor.fork_from(server)

    def _prepare(self, environment: Mapping[str, str], *, seed: bool) -> bool:
        """Migrate the database; True if there is demo data, too."""
        outcome = self.supervisor.run_once(prepare(environment, seed=seed))
        said = outcome.output.strip()
        if outcome.status:
            raise BootError(f"{said}\nmigrations and demo data failed with status {outcome.status}")
        self.console.step(f"database migrated, {said.rpartition(chr(10))[2]}")
        return said.endswith(DEMO_DATA)

    def _wait_for_web(self) -> None:
        def answered() -> bool:
            if self.supervisor.failures("web") >= FATAL_FAILURES:
                raise BootError(f"the web server does not start:\n{self._last_lines('web')}")
            # the port alone says nothing: Granian listens before its workers are ready
            return web_answers(self.plan.url)

        if not self.supervisor.wait_for(answered, WEB_WITHIN):
            raise BootError(f"the web server does not answer:\n{self._last_lines('web')}")
        self.console.step(f"web server answers on {self.plan.url}")

    def _last_lines(self, name: str) -> str:
        return "\n".join(self.supervisor.log(name).read_text(errors="replace").splitlines()[-LOG_LINES:])
