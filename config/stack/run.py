"""`make run`: everything from an empty folder to a ready service, and back to no process at all."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

import environ
import httpx

from apps.core.telemetry.slots import start_afresh
from config.serve import AddressError
from config.stack.console import Console
from config.stack.plan import PEOPLE_KEY, ROOT, Plan, background, front, people, prepare
from config.stack.ports import free_port
from config.stack.services import Postgres, ServiceError, Valkey, database_answers, listens
from config.stack.state import StateError, locked, read_addresses, write_addresses
from config.stack.supervisor import Interrupted, Supervisor

SERVICE_WITHIN = 30.0
WEB_WITHIN = 60.0
PROBE_TIMEOUT = 3.0
FATAL_FAILURES = 3
LOG_LINES = 20


class BootError(Exception):
    """The stack cannot be brought up; the message says what failed and how it looks from there."""


def main(arguments: list[str]) -> int:
    """Run the stack until SIGINT, SIGTERM or SIGHUP; returns the exit status.

    With `--with-parent` it also stops when the process that started it (make) is gone.
    """
    stopping = threading.Event()
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        # whoever starts it with nohup wants it to survive the terminal
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stopping.set())
    os.chdir(ROOT)
    environ.Env.read_env(ROOT / ".env")
    console = Console(sys.stdout)
    parent = os.getppid() if "--with-parent" in arguments else None
    try:
        plan = Plan.from_environment(os.environ)
        with (
            locked(plan.state_dir, plan.url) as lock,
            Supervisor(plan.state_dir / "logs", console, (lock,), stopping) as supervisor,
        ):
            return _run(plan, supervisor, console, parent)
    except (AddressError, StateError) as error:
        console.problem(str(error))
        return 1
    finally:
        console.close()


def _run(plan: Plan, supervisor: Supervisor, console: Console, parent: int | None) -> int:
    status = 0
    try:
        _Boot(plan, supervisor, console).bring_up()
        supervisor.wait_for(lambda: parent is not None and os.getppid() != parent, float("inf"))
    except Interrupted:
        pass
    except (BootError, ServiceError) as error:
        console.problem(str(error))
        status = 1
    console.step("stopping")
    supervisor.stop()
    console.step("stopped, nothing is left running")
    return status


class _Boot:
    """The way from nothing to a ready service, one step after the other."""

    def __init__(self, plan: Plan, supervisor: Supervisor, console: Console) -> None:
        self.plan = plan
        self.supervisor = supervisor
        self.console = console

    def bring_up(self) -> None:
        """Start everything and say where it is. Raises `BootError`, `ServiceError` or `Interrupted`."""
        addresses = self._addresses()
        write_addresses(self.plan.env_file, addresses)
        start_afresh(self.plan.metrics_folder)
        people_at = self._people()
        environment = self.plan.environment(addresses | people_at, coloured=self.console.coloured)
        first, then = front(environment), background(environment, self.plan.state_dir)
        self.console.expect(*(child.name for child in (*first, *then) if child.shown))
        self._prepare(environment)
        for child in first:
            self.supervisor.start(child)
        self._wait_for_web()
        # not sooner: there are fewer cores than processes, and the web server should be the first to answer
        for child in then:
            self.supervisor.start(child)
        self.console.step("workers are starting")
        self.console.say(closing_lines(self.plan, self.console, people_at.get("EXTERNAL_API_URL")))

    def _addresses(self) -> dict[str, str]:
        """Start PostgreSQL and Valkey unless others are set, and return where they are."""
        given = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
        earlier = read_addresses(self.plan.env_file)
        valkey = Valkey(self.plan.state_dir / "valkey", free_port(_local_port(earlier.get("REDIS_URL"))))
        postgres = Postgres(self.plan.state_dir / "pg", free_port(_local_port(earlier.get("DATABASE_URL"))))
        if not given["REDIS_URL"]:
            self.supervisor.start(valkey.child())
        if not given["DATABASE_URL"]:
            if not postgres.folder.exists():
                self.console.step("creating a database")
            postgres.prepare(self.supervisor.run_once)
            self.supervisor.start(postgres.child())
        self._reach_database(given["DATABASE_URL"], postgres)
        self._reach_cache(given["REDIS_URL"], valkey)
        return {
            "DATABASE_URL": given["DATABASE_URL"] or postgres.url(),
            "REDIS_URL": given["REDIS_URL"] or valkey.url(),
        }

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

    def _people(self) -> dict[str, str]:
        """Start the people directory unless another external API is set, and return where it is."""
        if os.environ.get("EXTERNAL_API_URL"):
            return {}
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        key = os.environ.get("EXTERNAL_API_KEY") or PEOPLE_KEY
        self.supervisor.start(people({**os.environ, "EXTERNAL_API_KEY": key}, port))
        self.console.step(f"people directory on 127.0.0.1:{port}")
        return {"EXTERNAL_API_URL": url, "EXTERNAL_API_KEY": key}

    def _prepare(self, environment: Mapping[str, str]) -> None:
        outcome = self.supervisor.run_once(prepare(environment))
        if outcome.status:
            raise BootError(f"{outcome.output.strip()}\nmigrations and demo data failed with status {outcome.status}")
        self.console.step("database migrated, demo data in place")

    def _wait_for_web(self) -> None:
        def answered() -> bool:
            if self.supervisor.failures("web") >= FATAL_FAILURES:
                raise BootError(f"the web server does not start:\n{self._last_lines('web')}")
            # the port alone says nothing: Granian listens before its workers are ready
            return self._answers("/healthz")

        if not self.supervisor.wait_for(answered, WEB_WITHIN):
            raise BootError(f"the web server does not answer:\n{self._last_lines('web')}")
        self.console.step(f"web server answers on {self.plan.url}")

    def _answers(self, path: str) -> bool:
        try:
            return httpx.get(f"{self.plan.url}{path}", timeout=PROBE_TIMEOUT, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def _last_lines(self, name: str) -> str:
        return "\n".join(self.supervisor.log(name).read_text(errors="replace").splitlines()[-LOG_LINES:])


def _local_port(url: str | None) -> int | None:
    parts = urlsplit(url or "")
    return parts.port if parts.hostname == "127.0.0.1" else None


def closing_lines(plan: Plan, console: Console, people_url: str | None) -> str:
    """Where everything is, and three commands to try it with."""
    url, json = plan.url, "-H 'Content-Type: application/json'"
    login = '{"email":"admin@example.com","password":"admin"}'
    pick = """sed 's/.*"access": *"\\([^"]*\\)".*/\\1/'"""
    failing = f"curl -X PUT {people_url}/control -d '{{\"status\":503}}' makes enrichment fail" if people_url else ""
    places = {
        "Tour": f"{url}/",
        "Docs": f"{url}/api/docs",
        "Admin": f"{url}/admin/   admin@example.com / admin",
        "State": f"{plan.state_dir}   database, logs, sent mail",
        **({"People": failing} if failing else {}),
    }
    lines = [f"  {console.emphasis(f'{name:<7}')} {place}" for name, place in places.items()]
    return "\n".join(
        [
            *("", *lines, "", "  Register a person, log in, read a user:", ""),
            f"""curl -s {url}/api/v1/users {json} -d '{{"email":"ada@example.com","name":"Ada"}}'""",
            f"TOKEN=$(curl -s {url}/api/v1/auth/token {json} -d '{login}' | {pick})",
            f'curl -s {url}/api/v1/users/me -H "Authorization: Bearer $TOKEN"',
            *("", "  Ctrl-C stops everything.", ""),
        ]
    )
