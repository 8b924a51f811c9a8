"""The people directory's answers are cached: asked once, by one caller, and old ones stand in while it is away."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from structlog.testing import capture_logs

from apps.core.resilience.retry import Retry
from apps.profiles.cached_people import CachedPeople
from apps.profiles.commands import ForgetPeople, ForgetPerson, Person
from apps.profiles.directory import DirectoryUnavailable, People
from apps.profiles.known_people import LARGEST_BYTES, NOBODY_SECONDS, STALE_SECONDS, KnownPeople
from apps.profiles.people import PeopleClient
from config.product import SLUG
from config.stack.people import PeopleDirectory
from tests.breakers import fresh_breaker
from tests.core.racing import at_once
from tests.profiles.known import ADA, KEY, TTL, asking, keys, known_at, lookups, make_old, name

FOUND = Person("Ada", "Engines", "")
Finds = Callable[[str], Person | None]


class TestWhatIsKept:
    """One question, one answer."""

    def test_an_answer_is_asked_for_once_in_any_letter_case(
        self, server: PeopleDirectory, known: KnownPeople, valkey: redis.Redis
    ) -> None:
        before = lookups("directory"), lookups("cache")
        with asking(server, known) as people:
            assert [people.find(address) for address in (ADA, ADA.upper(), ADA)] == [people.find(ADA)] * 3
            assert name(people.find(ADA)) == "Ada"
        assert server.served == 1
        assert (lookups("directory") - before[0], lookups("cache") - before[1]) == (1, 4)
        (fresh,), (answer,) = keys(valkey, "fresh"), keys(valkey, "answer")
        assert TTL - 30 < valkey.ttl(fresh) <= TTL
        assert TTL - 30 < valkey.ttl(answer) - STALE_SECONDS <= TTL
        assert keys(valkey, "claim") == [], "given back"

    def test_keys_tell_no_address(self, server: PeopleDirectory, known: KnownPeople, valkey: redis.Redis) -> None:
        with asking(server, known) as people:
            people.find(ADA)
        assert not [key for key in valkey.scan_iter() if b"ada" in key or b"engines" in key]
        assert known_at(settings.ENV.redis_url, "other" * 8).recall(ADA) is None, "another key, another digest"

    def test_nobody_is_kept_for_a_minute_and_never_stands_in(
        self, server: PeopleDirectory, known: KnownPeople, valkey: redis.Redis
    ) -> None:
        with asking(server, known) as people:
            assert [people.find("unknown@example.com") for _ in range(3)] == [None] * 3
            assert server.served == 1
            assert 0 < valkey.ttl(keys(valkey, "answer")[0]) <= NOBODY_SECONDS
            make_old(valkey)
            server.control(status=503)
            with pytest.raises(DirectoryUnavailable):
                people.find("unknown@example.com")

    def test_what_is_too_large_is_answered_and_not_kept(self, known: KnownPeople, valkey: redis.Redis) -> None:
        token = known.claim(ADA)
        assert token
        known.keep(ADA, Person("x" * LARGEST_BYTES, "y", ""), token)
        assert known.recall(ADA) is None

    @pytest.mark.parametrize("value", [b"{", b"17", b"\xff", b'["a", "b"]', b'["a", 1, "c"]', b"null", b'{"a": 1}'])
    def test_what_somebody_else_wrote_there_is_asked_for_anew(
        self, server: PeopleDirectory, known: KnownPeople, valkey: redis.Redis, value: bytes
    ) -> None:
        with asking(server, known) as people:
            people.find(ADA)
            valkey.set(keys(valkey, "answer")[0], value)
            assert name(people.find(ADA)) == "Ada"
        assert server.served == 2


class TestRefreshing:
    """One caller asks; old answers stand in."""

    def test_of_many_callers_at_once_one_asks(self, server: PeopleDirectory, known: KnownPeople) -> None:
        server.control(delay=0.3)
        breaker = fresh_breaker()
        with asking(server, known, breaker) as people:
            answers = at_once(12, lambda number: people.find(ADA))
        assert [name(answer) for answer in answers if isinstance(answer, Person)] == ["Ada"] * 12, answers
        assert server.served == 1

    def test_so_too_when_the_answer_is_old(
        self, server: PeopleDirectory, known: KnownPeople, valkey: redis.Redis
    ) -> None:
        with asking(server, known) as people:
            people.find(ADA)
            make_old(valkey)
            server.control(delay=0.1)
            at_once(8, lambda number: people.find(ADA))
        assert server.served == 2

    def test_an_old_answer_stands_in_while_the_breaker_is_open(
        self, server: PeopleDirectory, known: KnownPeople, valkey: redis.Redis
    ) -> None:
        breaker = fresh_breaker(failure_threshold=1)
        with asking(server, known, breaker) as people:
            people.find(ADA)
            make_old(valkey)
            server.control(status=503)
            before = lookups("stale")
            with capture_logs() as logs:
                found = [people.find(ADA) for _ in range(3)]
            assert [name(one) for one in found] == ["Ada"] * 3
            assert (breaker.current_state, server.served) == ("open", 2), "an open breaker is not asked"
            assert lookups("stale") - before == 3
            said = [line for line in logs if line["event"] == "people_answer_stale"]
            assert len(said) == 3
            assert "breaker" in said[-1]["reason"]
            assert ADA not in json.dumps(logs, default=str)
            with pytest.raises(DirectoryUnavailable):
                people.find("grace@engines.example")
            server.control()
            breaker.reset()
            assert name(people.find(ADA)) == "Ada"
            assert server.served == 3, "back, it is asked again"

    def test_a_caller_that_died_while_asking_holds_the_others_up_for_their_patience_only(
        self, server: PeopleDirectory, valkey: redis.Redis
    ) -> None:
        known = known_at(settings.ENV.redis_url, lease=60)
        assert known.claim(ADA)
        with asking(server, known, patience=0) as hasty:
            assert name(hasty.find(ADA)) == "Ada"
            assert name(hasty.find(ADA)) == "Ada"
        assert server.served == 2, "what was asked for without a claim is not kept: the one who has it may know better"

    def test_who_asked_for_too_long_neither_keeps_the_answer_nor_ends_another_claim(
        self, known: KnownPeople, valkey: redis.Redis
    ) -> None:
        late = known.claim(ADA)
        assert late
        valkey.delete(*keys(valkey, "claim"))
        assert known.claim(ADA)
        known.keep(ADA, FOUND, late)
        known.release(ADA, late)
        assert known.recall(ADA) is None
        assert known.claim(ADA) is None


class TestForgetting:
    """By command, and with the user."""

    def test_one_address_is_asked_for_again(self, server: PeopleDirectory, known: KnownPeople) -> None:
        with asking(server, known) as people:
            for address in (ADA, "grace@engines.example"):
                people.find(address)
            assert (known.forget(ForgetPerson(ADA.upper())), known.forget(ForgetPerson(ADA))) == (True, False)
            for address in (ADA, "grace@engines.example"):
                people.find(address)
        assert server.served == 3

    def test_what_an_earlier_key_kept_is_forgotten_too(self, valkey: redis.Redis) -> None:
        old = known_at(settings.ENV.redis_url, KEY)
        token = old.claim(ADA)
        assert token
        old.keep(ADA, FOUND, token)
        known_at(settings.ENV.redis_url, "n" * 40, KEY).forget(ForgetPerson(ADA))
        assert list(valkey.scan_iter("*people:*")) == []

    def test_an_answer_that_was_on_its_way_meanwhile_is_not_kept(
        self, server: PeopleDirectory, known: KnownPeople, valkey: redis.Redis
    ) -> None:
        class Forgotten:
            def __init__(self, people: People) -> None:
                self._people = people

            def find(self, address: str) -> Person | None:
                found = self._people.find(address)
                known.forget(ForgetPerson(address))
                return found

        with closing(PeopleClient(server.url, "test-key", fresh_breaker(), Retry())) as client:
            assert name(CachedPeople(Forgotten(client), known, patience=1).find(ADA)) == "Ada"
        assert list(valkey.scan_iter("*people:*")) == []

    def test_all_of_them_and_nothing_else(self, known: KnownPeople, valkey: redis.Redis) -> None:
        valkey.set(f"{SLUG}:1:other", "1")
        for number in range(700):
            valkey.set(f"{SLUG}:1:people:{number}:answer", "[]")
        assert known.forget_all(ForgetPeople()) == 700
        assert list(valkey.scan_iter()) == [f"{SLUG}:1:other".encode()]

    def test_manage_py_people(self, capsys: pytest.CaptureFixture[str], valkey: redis.Redis) -> None:
        mine = known_at(settings.ENV.redis_url, settings.ENV.secret_key)
        token = mine.claim(ADA)
        assert token
        mine.keep(ADA, FOUND, token)
        call_command("people", "--forget", ADA, "--json")
        assert json.loads(capsys.readouterr().out) == [{"email": ADA, "was_known": True}]
        call_command("people", "--forget-all", "--json")
        assert json.loads(capsys.readouterr().out) == {"keys": 0}
        with pytest.raises(CommandError):
            call_command("people")
