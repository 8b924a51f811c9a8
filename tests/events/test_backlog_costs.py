"""However much waits, a look at it reads a few pages: counted, since a time says nothing on a shared machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from apps.core.bus import bus
from apps.core.reads import CAP
from apps.events import deliveries, lines, metrics, overview
from apps.events.bus import publish
from apps.events.models import OutboxEvent
from apps.events.queries import GetBacklog
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot
from apps.users.events import UserRegistered
from tests.costs import look_of, pages, statements

EVENTS = 60_000
TAKEN = 30_000
# half of them taken long ago, and the other half waits with three deliveries each
OUTBOX = """
    INSERT INTO events_outboxevent (type, aggregate, data, request_id, bulk, position)
    SELECT 'user.created', 'user:-' || n, '{"user_id": -1, "email": "n@e.com", "name": "N"}', '', true,
        CASE WHEN n <= %s THEN nextval('events_position') END
    FROM generate_series(1, %s) n"""
WAITING = """
    INSERT INTO events_delivery (event_id, receiver, aggregate, waits, bulk, state, attempts, last_error, due_at)
    SELECT e.id, r.receiver, e.aggregate, r.waits, true,
        CASE WHEN e.position IS NULL THEN 'pending' ELSE 'delivered' END, 0, '',
        CASE WHEN e.position IS NULL THEN statement_timestamp() END
    FROM events_outboxevent e CROSS JOIN (VALUES ('test.direct', false),
        ('users.send_welcome_email', true), ('test.waiting', true)) r(receiver, waits)"""

LONG = 20_000
LINE = """
    WITH told AS (
        INSERT INTO events_outboxevent (type, aggregate, data, request_id, position)
        SELECT 'user.created', 'user:-1', '{"user_id": -1, "email": "n@e.com", "name": "N"}', '',
            nextval('events_position') FROM generate_series(1, %s) RETURNING id)
    INSERT INTO events_delivery (event_id, receiver, aggregate, waits, behind, state, attempts, last_error)
    SELECT id, 'test.direct', 'user:-1', false, id > (SELECT min(id) FROM told), 'pending', 0, ''
    FROM told ORDER BY id"""


@pytest.fixture
def backlog(transactional_db: None) -> Iterator[None]:
    """180,000 deliveries, half of which wait."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_outboxevent, events_delivery")
        cursor.execute(OUTBOX, [TAKEN, EVENTS])
        cursor.execute(WAITING)
        # without it a scan would meet what other tests have left behind
        cursor.execute("VACUUM (ANALYZE) events_outboxevent, events_delivery")
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_outboxevent, events_delivery")


def test_of_the_relay_and_the_workers(backlog: None, register: Callable[..., UserSnapshot]) -> None:
    register()
    relay = [one for one in statements(lambda: fan_out(limit=10)) if "WITH people" in one or "SET bulk" in one]
    assert len(relay) == 2
    looks = [one for name in ("events.deliver", "events.deliver_waiting") for one in statements(look_of(name))]
    assert len(looks) == 2
    claims = [
        one
        for classes in (lines.DIRECT, lines.WAITING)
        for one in statements(partial(deliveries._claim, classes, 4, 30))
        if "WITH heads" in one
    ]
    assert len(claims) == 4
    read = {one: pages(one) for one in [relay[0], *looks, *claims]}
    # ten events are thirty deliveries, each with its line, its event and the index that it may be in already
    assert pages(relay[1]) < 30 * 15
    assert {one: n for one, n in read.items() if n > 250} == {}
    assert all(n < 60 for one, n in read.items() if one in looks), read


def test_of_one_long_line(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(LINE, [LONG])
        cursor.execute("VACUUM (ANALYZE) events_outboxevent, events_delivery")
    with transaction.atomic():
        publish(UserRegistered(-1, "n@e.com", "N"))
    (added,) = (one for one in statements(fan_out) if "SET bulk" in one)
    looks = statements(look_of("events.deliver"))
    claims = statements(partial(lines.claim_runs, lines.DIRECT, 20, 30))
    # another worker finds the line taken
    again = statements(partial(lines.claim_runs, lines.DIRECT, 20, 30))
    read = {one: pages(one) for one in [added, *looks, *claims, *again]}
    assert {one: n for one, n in read.items() if n > 250} == {}


def test_of_metrics_the_overview_and_the_command(backlog: None) -> None:
    asked = [
        *statements(lambda: list(metrics.backlog())),
        *statements(lambda: [overview.outbox(), overview.deliveries()]),
        *statements(lambda: call_command("outbox", stdout=StringIO())),
    ]
    assert len(asked) > 10
    read = {one: pages(one) for one in asked}
    # an index has some 200 entries a page, and the table some 60 rows
    assert {one: n for one, n in read.items() if n > 300} == {}


def test_what_is_counted_up_to_a_bound_says_so(backlog: None) -> None:
    found = bus.ask(GetBacklog())
    assert (found.unsequenced, found.states) == (CAP + 1, {"pending": CAP + 1, "failed": 0, "dead": 0})
    assert found.oldest == OutboxEvent.objects.filter(position__isnull=True).earliest("id").occurred_at
    said = StringIO()
    call_command("outbox", stdout=said)
    assert said.getvalue().count("10000+") == 2
    families = {family.name: family for family in metrics.backlog()}
    assert "counted up to 10000" in families["outbox_deliveries"].documentation
    assert "counted up to 10000" in families["outbox_unsequenced"].documentation
    figures = {figure.label: figure.value for figure in overview.outbox().figures}
    assert figures["waiting in the outbox"] == figures["deliveries pending or failed"] == "10,000+"
