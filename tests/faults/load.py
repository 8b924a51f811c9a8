"""Clients that notice every request without a proper answer."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from apps.users.models import User
from tests.waiting import wait_for

KEPT, FRESH = 6, 6
# some 100 registrations a second: a load without a pause is the machine's load, and every start beside it takes longer
PACE_SECONDS = 0.1
BODY = '{{"email": "{}", "name": "Load"}}'


@dataclass
class Load:
    """Clients that register people one after another, and what became of each request."""

    port: int
    outcomes: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Clients for the length of the block, some on connections that they keep and some on a new one each time."""
        threads = [
            threading.Thread(target=self._client, args=(f"{kind}-{number}", kind == "kept"))
            for kind, count in (("kept", KEPT), ("fresh", FRESH))
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def answered(self, more: int) -> None:
        """Wait until `more` further requests were answered."""
        goal = self.outcomes.total() + more
        wait_for(lambda: self.outcomes.total() >= goal, "requests are answered")

    def _client(self, name: str, keeps: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        number = 0
        while not self._stop.is_set():
            number += 1
            email = f"{name}-{number}@example.com"
            outcome = self._register(connection, email)
            self.outcomes[outcome] += 1
            if outcome == "201":
                self.accepted.append(email)
            if not keeps or outcome != "201":
                connection.close()
            self._stop.wait(PACE_SECONDS)
        connection.close()

    def _register(self, connection: http.client.HTTPConnection, email: str) -> str:
        try:
            connection.request(
                "POST", "/api/v1/users", BODY.format(email), headers={"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            answer.read()
            return str(answer.status)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__


def check(load: Load) -> None:
    """No request was dropped, and each that was answered 201 is there."""
    assert set(load.outcomes) == {"201"}, load.outcomes
    assert User.objects.filter(email__in=load.accepted).count() == len(load.accepted) > 0
