"""A new user's profile is filled from the people directory, now or when it is back."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.bus import bus
from apps.core.resilience.retry import Retry
from apps.events.models import Delivery, OutboxEvent
from apps.profiles.commands import CreateProfiles, LookUpPerson, Person, RecordEnrichment
from apps.profiles.directory import DirectoryUnavailable
from apps.profiles.models import Profile
from apps.profiles.people import PeopleClient
from apps.users.commands import DeleteUser, UserSnapshot
from config.stack.people import PeopleDirectory
from tests.breakers import fresh_breaker

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]
Drain = Callable[[], int]
ENRICH = "profiles.enrich_profile"


def enriched() -> list[tuple[str, str]]:
    profiles = Profile.objects.exclude(enriched_at=None).order_by("user_id")
    return list(profiles.values_list("display_name", "company"))


def test_a_new_user_gets_mail_and_a_filled_profile(
    directory: PeopleDirectory, register: Register, drain: Drain
) -> None:
    ada = register("ada.lovelace@analytical-engines.example")
    assert not Profile.objects.exists(), "the request does not wait for it"
    drain()
    profile = Profile.objects.get(user_id=ada.id)
    assert (profile.display_name, profile.company) == ("Ada Lovelace", "Analytical Engines")
    assert profile.avatar_url.startswith(directory.url)
    (message,) = mail.outbox
    assert (message.to, message.extra_headers["Message-ID"]) == (
        [ada.email],
        f"<welcome-{ada.id}@{settings.PRODUCT_SLUG}>",
    )
    told = OutboxEvent.objects.get(type="profile.enriched")
    assert (told.data["user_id"], told.data["company"]) == (ada.id, "Analytical Engines")


def test_whom_the_directory_does_not_know_keeps_an_empty_profile(
    directory: PeopleDirectory, register: Register, drain: Drain
) -> None:
    register("unknown@example.com")
    drain()
    profile = Profile.objects.get()
    assert (profile.display_name, profile.enriched_at) == ("", None)
    assert Delivery.objects.get(receiver=ENRICH).state == "delivered"
    assert directory.served == 1, "an answer of 404 is an answer"


@pytest.mark.parametrize("trouble", [{"status": 503}, {"garbage": True}, {"status": 429, "retry_after": 120}])
def test_while_the_directory_is_away_the_rest_goes_on_and_it_is_caught_up(
    directory: PeopleDirectory,
    register: Register,
    drain: Drain,
    make_due: Callable[[], None],
    valkey: redis.Redis,
    trouble: dict[str, Any],
) -> None:
    directory.control(**trouble)
    register()
    for _ in range(20):
        drain()
        make_due()
    assert Profile.objects.count() == len(mail.outbox) == 1
    assert enriched() == []
    waiting = Delivery.objects.get(receiver=ENRICH)
    assert (waiting.state, waiting.attempts) == ("failed", 0), "it is postponed, which is nobody's failure"
    assert "directory" in waiting.last_error or "breaker" in waiting.last_error
    directory.control()
    # the breaker, opened by all these calls, lets one through after its recovery time
    with (
        closing(PeopleClient(directory.url, "test-key", fresh_breaker(), Retry())) as client,
        bus.replaced(LookUpPerson, lambda wanted: client.find(wanted.email)),
    ):
        make_due()
        drain()
    assert enriched() == [("Ada", "Example")]
    assert OutboxEvent.objects.filter(type="profile.enriched").count() == 1


def test_a_key_that_is_refused_is_a_failure_that_counts(
    directory: PeopleDirectory, register: Register, drain: Drain
) -> None:
    directory.control(status=403)
    register()
    drain()
    refused = Delivery.objects.get(receiver=ENRICH)
    assert (refused.state, refused.attempts, directory.served) == ("failed", 1, 1)
    assert "403" in refused.last_error


@pytest.mark.parametrize("seconds", [1e9, 1e13, float("inf")])
def test_a_wait_past_all_reason_is_waited_for_within_reason(register: Register, drain: Drain, seconds: float) -> None:
    def away(wanted: LookUpPerson) -> Person | None:
        raise DirectoryUnavailable("come again in the next age", seconds)

    register()
    with bus.replaced(LookUpPerson, away):
        drain()
    postponed = Delivery.objects.get(receiver=ENRICH)
    assert (postponed.state, postponed.token) == ("failed", None)
    assert postponed.due_at is not None


def test_a_user_deleted_meanwhile_gets_no_profile(directory: PeopleDirectory, register: Register, drain: Drain) -> None:
    ada = register()
    bus.execute(DeleteUser(ada.id))
    drain()
    assert not Profile.objects.exists()
    assert not OutboxEvent.objects.filter(type="profile.enriched").exists()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_what_is_recorded_twice_is_one_profile(register: Register) -> None:
    ada = register()
    for company in ("Old", "New"):
        bus.execute(RecordEnrichment(ada.id, Person("Ada", company, "")))
    assert enriched() == [("Ada", "New")]


def test_each_is_one_statement_and_holds_the_user_as_it_writes(register: Register) -> None:
    ada = register()
    for command, statements in ((CreateProfiles((ada.id,)), 1), (RecordEnrichment(ada.id, Person("Ada", "", "")), 2)):
        with CaptureQueriesContext(connection) as captured:
            bus.execute(command)
        texts = [re.sub(r'(RELEASE )?SAVEPOINT "[^"]*";?', "", query["sql"]) for query in captured.captured_queries]
        sent = [text for text in texts if text]
        assert len(sent) == statements, sent
        assert "FOR KEY SHARE" in sent[0]
        assert all("events_outboxevent" in sql for sql in sent[1:])


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """A directory that answers everything with `body`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not to stderr."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


GOOD = {"display_name": "Ada", "company": "Engines", "avatar_url": "https://example.com/a.png"}


def ask(body: bytes) -> Person | None:
    with (
        answering(body) as url,
        closing(PeopleClient(url, "test-key", fresh_breaker(), Retry(max_attempts=1))) as client,
    ):
        return client.find("ada@example.com")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"<html>",
        b"\xff\xfe",
        json.dumps({"display_name": "Ada"}).encode(),
        json.dumps({**GOOD, "company": None}).encode(),
        json.dumps({**GOOD, "company": {"name": "Engines"}}).encode(),
        json.dumps({**GOOD, "company": "a\0b"}).encode(),
        json.dumps({**GOOD, "display_name": "\ud800"}).encode(),
        json.dumps({**GOOD, "padding": "x" * 70_000}).encode(),
    ],
    ids=lambda body: ascii(body[:40]),
)
def test_an_answer_that_makes_no_sense_is_a_directory_out_of_order(body: bytes) -> None:
    with pytest.raises(DirectoryUnavailable):
        ask(body)


def test_what_is_too_long_is_cut_and_what_is_no_web_address_left_out() -> None:
    assert ask(json.dumps(GOOD).encode()) == Person("Ada", "Engines", "https://example.com/a.png")
    long = ask(json.dumps({**GOOD, "company": "x" * 300, "avatar_url": "javascript:alert(1)"}).encode())
    assert long == Person("Ada", "x" * 200, "")
