"""A whole service to break: PostgreSQL, Valkey, web, relay, workers, people directory, a server that is told."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from config.stack.people import PeopleDirectory
from config.stack.throwaway import Services, throwaway_services
from tests import loopback
from tests.processes import Process, Processes, running
from tests.published import problems
from tests.waiting import wait_for
from tests.webhooks.receiver import Receiver

STAFF = "staff@example.com"
# about 20 registrations a second
PACE_SECONDS = 0.04
_names = itertools.count()


@dataclass
class Client:
    """Registers people and remembers what it was answered."""

    url: str
    prefix: str
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def register(self, http: httpx.Client) -> None:
        """One registration; a connection that is cut counts as status 0."""
        email = f"{self.prefix}-{len(self.seconds)}@example.com"
        start = time.monotonic()
        try:
            status = http.post(f"{self.url}/api/v1/users", json={"email": email, "name": "Load"}).status_code
        except httpx.HTTPError:
            status = 0
        self.seconds.append(time.monotonic() - start)
        self.statuses[status] += 1
        if status == 201:
            self.accepted.append(email)


@dataclass
class World:
    """The running service, and what can be done to it."""

    services: Services
    processes: Processes
    webhooks: Receiver
    people: PeopleDirectory
    web: Process
    relay: Process
    worker: Process
    # as whom staff ask
    token: dict[str, str]

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The answer of PostgreSQL itself."""
        with psycopg.connect(self.services.postgres.url(), autocommit=True) as connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    def load(self, seconds: float, meanwhile: Callable[[], object] = lambda: None, pause: float = 0.25) -> Client:
        """Register people one after another for `seconds`, and call `meanwhile` every `pause` seconds."""
        client = Client(self.web.url, f"load{next(_names)}")
        stop = threading.Event()

        def keep_on() -> None:
            with loopback.client(timeout=20) as http:
                while not stop.is_set():
                    client.url = self.web.url
                    client.register(http)
                    stop.wait(PACE_SECONDS)

        thread = threading.Thread(target=keep_on)
        thread.start()
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                meanwhile()
                self.services.supervisor.tick()
                time.sleep(pause)  # the pace of the faults, not a wait for anything
        finally:
            stop.set()
            thread.join()
        return client

    def restart(self, name: str) -> None:
        """Kill the web server, the relay or the worker with SIGKILL, and start a new one."""
        getattr(self, name).kill()
        setattr(self, name, getattr(self.processes, name)())

    def settle(self, *, leases_lost: bool = False, seconds: float = 60) -> None:
        """Wait until nothing is due, ending waits early, as time would, and also leases if a fault orphaned them."""
        if leases_lost:
            self.worker.kill()
            self._pull_forward("true")
            self.worker = self.processes.worker()

        def done() -> bool:
            self.services.supervisor.tick()
            self._pull_forward("token IS NULL AND due_at > now() + interval '1 s'")
            left = self.rows(
                "SELECT (SELECT count(*) FROM events_outboxevent WHERE position IS NULL)"
                " + (SELECT count(*) FROM events_delivery WHERE due_at IS NOT NULL)"
                " + (SELECT count(*) FROM webhooks_webhookdelivery WHERE due_at IS NOT NULL)"
            )
            return bool(left[0][0] == 0)

        wait_for(done, "everything is delivered", seconds)

    def _pull_forward(self, which: str) -> None:
        for table in (
            "events_delivery",
            "webhooks_webhookdelivery",
        ):
            self.rows(f"UPDATE {table} SET due_at = now() WHERE due_at IS NOT NULL AND {which}")

    def check(self, client: Client) -> None:
        """What was answered 201 has all its effects, each exactly once."""
        assert client.accepted, client.statuses
        users = dict(self.rows("SELECT email, id FROM users_user WHERE email LIKE %s", f"{client.prefix}-%"))
        assert set(client.accepted) <= set(users), "a user who was answered 201 is gone"
        ids = list(users.values())
        for kind in (
            "user.created",
            "profile.enriched",  # of profiles
        ):
            counts = dict(
                self.rows(
                    "SELECT (data->>'user_id')::bigint, count(*) FROM events_outboxevent"
                    " WHERE type = %s AND (data->>'user_id')::bigint = ANY(%s) GROUP BY 1",
                    kind,
                    ids,
                )
            )
            assert counts == dict.fromkeys(ids, 1), f"{kind} is lost or doubled"
        assert not (wrong := problems(self.rows("SELECT type, data::text FROM events_outboxevent"))), wrong
        assert self.rows("SELECT count(*) FROM profiles_profile WHERE user_id = ANY(%s)", ids) == [(len(ids),)]
        assert self.rows("SELECT count(*) FROM events_delivery WHERE state <> 'delivered'") == [(0,)]
        assert self._mailed() >= set(users), "a welcome e-mail is missing"
        events = {f"evt_{i}" for (i,) in self.rows("SELECT id FROM events_outboxevent")}
        assert set(self.webhooks.ids) >= events, "a webhook is missing"
        feed = self._feed()
        assert Counter(feed) == Counter(int(event.removeprefix("evt_")) for event in events), "the feed is not exact"

    def _mailed(self) -> set[str]:
        texts = [path.read_text() for path in self.processes.mail.glob("*")]
        return {line.removeprefix("To: ") for text in texts for line in text.splitlines() if line.startswith("To: ")}

    def _feed(self) -> list[int]:
        found: list[int] = []
        cursor = ""
        with loopback.client(headers=self.token) as http:
            while True:
                page = http.get(f"{self.web.url}/api/v1/events", params={"cursor": cursor, "limit": 100}).json()
                found += [event["id"] for event in page["results"]]
                if not page["results"]:
                    return found
                cursor = page["next"]


@contextmanager
def world(folder: Path, **settings: str) -> Iterator[World]:
    """Start everything, with further `settings`; it ends with the block."""
    with (
        throwaway_services() as services,
        Receiver() as webhooks,
        PeopleDirectory("test-key") as people,
    ):
        addresses = {
            "DATABASE_URL": services.postgres.url(),
            "REDIS_URL": services.valkey.url(),
            "EXTERNAL_API_URL": people.url,
            "EXTERNAL_API_KEY": "test-key",
            "WEBHOOK_ALLOW_PRIVATE_NETWORKS": "true",
            "RETRY_BASE_DELAY": "0.05",
            "BREAKER_RECOVERY_TIMEOUT": "1",
            "LOG_LEVEL": "INFO",
            **settings,
        }
        # four children: one of them may send webhooks for minutes
        for processes in running(folder, **addresses):
            migrated = processes.manage("migrate", "--noinput")
            assert migrated.returncode == 0, migrated.stderr
            made = processes.manage("create_user", STAFF, "--name", "Staff", "--staff")
            assert made.returncode == 0, made.stderr
            web = processes.web()
            token = {"Authorization": f"Bearer {processes.manage('issue_token', STAFF).stdout.strip()}"}
            webhook = loopback.post(f"{web.url}/api/v1/webhooks", json={"url": webhooks.url}, headers=token)
            assert webhook.status_code == 201, webhook.text
            yield World(
                services=services,
                processes=processes,
                webhooks=webhooks,
                people=people,  # of profiles
                web=web,
                relay=processes.relay(),
                worker=processes.worker(),
                token=token,
            )
