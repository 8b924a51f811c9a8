"""The people directory's answers without the cache: whatever happens to it, looking people up is only slower."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
import redis

from apps.core.resilience.retry import Retry
from apps.profiles.cached_people import CachedPeople
from apps.profiles.commands import ForgetPeople, ForgetPerson, Person
from apps.profiles.directory import People
from apps.profiles.errors import CacheAway
from apps.profiles.known_people import KnownPeople
from apps.profiles.people import PeopleClient
from config.server.ports import free_port
from config.stack.people import PeopleDirectory
from config.stack.supervisor import Supervisor
from config.stack.valkey import Valkey
from tests.breakers import fresh_breaker
from tests.profiles.known import ADA, asking, known_at, name


@pytest.fixture(scope="module")
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Supervisor, Valkey]]:
    """A Valkey that may be frozen and filled up."""
    folder = tmp_path_factory.mktemp("valkey")
    with Supervisor(folder / "logs") as supervisor:
        valkey = Valkey(folder / "data", free_port(), throwaway=True, databases=1)
        supervisor.start(valkey.child())
        assert supervisor.wait_for(valkey.ready, 20)
        yield supervisor, valkey


class TestWithoutTheCache:
    """It is only slower."""

    def test_wiped_at_any_moment_it_is_asked_again(
        self, server: PeopleDirectory, known: KnownPeople, valkey: redis.Redis
    ) -> None:
        class Wiped:
            def __init__(self, people: People) -> None:
                self._people = people

            def find(self, address: str) -> Person | None:
                valkey.flushdb()
                return self._people.find(address)

        with closing(PeopleClient(server.url, "test-key", fresh_breaker(), Retry())) as client:
            people = CachedPeople(Wiped(client), known, patience=1)
            assert [name(people.find(ADA)) for _ in range(2)] == ["Ada"] * 2

    def test_stopped_it_costs_next_to_nothing(self, server: PeopleDirectory) -> None:
        known = known_at("redis://127.0.0.1:1/0")
        with asking(server, known) as people:
            assert [name(people.find(ADA)) for _ in range(3)] == ["Ada"] * 3
        assert server.served == 3
        for forget in (partial(known.forget, ForgetPerson(ADA)), partial(known.forget_all, ForgetPeople())):
            with pytest.raises(CacheAway):
                forget()

    def test_frozen_it_costs_one_time_out_a_second(
        self, server: PeopleDirectory, own_valkey: tuple[Supervisor, Valkey]
    ) -> None:
        _, valkey = own_valkey
        known = known_at(valkey.url())
        with asking(server, known) as people:
            people.find(ADA)
            with redis.Redis.from_url(valkey.url()) as client:
                pid = int(client.info("server")["process_id"])
            os.kill(pid, signal.SIGSTOP)
            try:
                begun = time.monotonic()
                assert [name(people.find(ADA)) for _ in range(5)] == ["Ada"] * 5
                # one time-out of 0.2 s; if each question waited for one, they would take 7 s
                assert time.monotonic() - begun < 3
                with pytest.raises(CacheAway):
                    known.forget(ForgetPerson(ADA))
            finally:
                os.kill(pid, signal.SIGCONT)
        assert server.served == 6

    def test_full_it_keeps_nothing_more(self, server: PeopleDirectory, own_valkey: tuple[Supervisor, Valkey]) -> None:
        _, valkey = own_valkey
        known = known_at(valkey.url())
        with redis.Redis.from_url(valkey.url()) as client, asking(server, known) as people:
            client.flushall()
            client.config_set("maxmemory", 1)
            try:
                assert [name(people.find(ADA)) for _ in range(3)] == ["Ada"] * 3
            finally:
                client.config_set("maxmemory", 0)
        assert server.served == 3
