"""What the tour counts of the people whom an experiment registered, each second."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from django.test import Client, override_settings
from rest_framework.test import APIClient

from apps.core.resilience.circuit_breaker import SharedCircuitBreaker
from apps.events.overview import outbox
from apps.tour import parts
from apps.tour.experiments import Fact
from apps.users.commands import UserSnapshot
from apps.users.models import Session
from tests.configured import configured
from tests.processes import ROOT

Register = Callable[..., UserSnapshot]
COHORT = "tour-0123ab"


@pytest.fixture
def staff(register: Register) -> Iterator[UserSnapshot]:
    yield register(parts.DEMO_STAFF, "Staff", is_staff=True)
    parts._issued.cache_clear()


def seen(promised: int) -> tuple[Fact, ...]:
    found = parts.followed(f"{COHORT}.{promised}")
    assert found
    return found.facts


def test_many_looks_need_one_session(staff: UserSnapshot, register: Register) -> None:
    register(f"{COHORT}-0@example.com")
    for _ in range(3):
        assert _value(seen(1), "in the database") == "1"
    assert Session.objects.filter(user_id=staff.id).count() == 1


def test_who_was_promised_and_is_not_there_is_lost(staff: UserSnapshot, register: Register) -> None:
    register(f"{COHORT}-0@example.com")
    assert _value(seen(3), "lost") == "2"


def test_an_ended_session_costs_one_look(staff: UserSnapshot) -> None:
    seen(0)
    Session.objects.all().delete()
    assert _value(seen(0), "cannot be counted")
    assert _value(seen(0), "lost") == "0"


def test_refused_requests_are_shown(anyone: APIClient, db: None) -> None:
    with configured(rate_limit_per_minute=2):
        statuses = [anyone.get("/api/v1/users").status_code for _ in range(5)]
    assert statuses.count(429) == 3
    (limit,) = (part for part in parts.parts() if part.title == "Rate limit")
    assert _value(limit.facts, "refused in 10 minutes") == "3"


def test_an_open_breaker_says_when_it_lets_a_probe_through(
    client: Client, db: None, breaker: SharedCircuitBreaker
) -> None:
    facts = _breaker_facts()
    assert [fact.value for fact in facts] == ["closed", "no need"]
    for _ in range(breaker.failure_threshold):
        breaker.state.failed(breaker.name, breaker.failure_threshold, "")
    shown, pause = _breaker_facts()
    assert (shown.value, pause.value) == ("open", f"in {pause.seconds} s")
    assert breaker.recovery_timeout - 5 < pause.seconds <= breaker.recovery_timeout
    with override_settings(TOUR_URL="http://127.0.0.1:1"):
        page = client.get("/").content.decode()
    assert re.search(r'<dt>half-open</dt><dd data-seconds="(\d+)">in \1 s</dd>', page), "without any script, too"


def test_the_life_of_an_event_has_the_words_of_the_glossary_here_and_in_the_admin(db: None) -> None:
    (bus,) = (part for part in parts.parts() if part.title == "Event bus")
    here = {fact.label for fact in bus.facts} - {"relay"}
    there = {figure.label for figure in outbox().figures} - {"age of the oldest"}
    assert here == {"waiting in the outbox", "deliveries pending", "failed, to be tried again", "dead letters"}
    assert there == {"waiting in the outbox", "deliveries pending or failed"}
    glossary = re.findall(r"^\| ([^|]+) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert {"waiting in the outbox", "pending, failed, delivered, dead", "dead letter"} <= set(glossary)


def _breaker_facts() -> tuple[Fact, ...]:
    (part,) = (part for part in parts.parts() if part.title == "Circuit breaker")
    return part.facts


def _value(facts: tuple[Fact, ...], name: str) -> str:
    (found,) = (fact.value for fact in facts if fact.label == name)
    return found
