"""However much waits, a look at it reads a few pages: counted, since a time says nothing on a shared machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.bus import bus
from apps.core.queue.work_queue import TASKS
from apps.core.reads import CAP
from apps.events import deliveries, metrics, overview
from apps.events.models import OutboxEvent
from apps.events.queries import GetBacklog
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot

EVENTS = 100_000
TAKEN = 50_000
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
    FROM events_outboxevent e CROSS JOIN (VALUES ('profiles.create_profile', false),
        ('users.send_welcome_email', true), ('profiles.enrich_profile', true)) r(receiver, waits)"""


@pytest.fixture
def backlog(transactional_db: None) -> Iterator[None]:
    """300,000 deliveries, half of which wait."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_outboxevent, events_delivery")
        cursor.execute(OUTBOX, [TAKEN, EVENTS])
        cursor.execute(WAITING)
        # without it a scan would meet what other tests have left behind
        cursor.execute("VACUUM (ANALYZE) events_outboxevent, events_delivery")
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_outboxevent, events_delivery")


def statements(act: Callable[[], Any]) -> list[str]:
    """What `act` asks of the outbox."""
    with CaptureQueriesContext(connection) as seen:
        act()
    return [query["sql"] for query in seen.captured_queries if "events_" in query["sql"]]


def pages(statement: str) -> int:
    """How many pages it reads."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement)
        plan = cursor.fetchone()[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def look_of(name: str) -> Callable[[], Any]:
    """The relay's look at what is due for a task."""
    look = TASKS[name].due
    assert look
    return look


def test_of_the_relay_and_the_workers(backlog: None, register: Callable[..., UserSnapshot]) -> None:
    register()
    relay = [one for one in statements(lambda: fan_out(limit=10)) if "WITH people" in one or "SET bulk" in one]
    assert len(relay) == 2
    looks = [one for name in ("events.deliver", "events.deliver_waiting") for one in statements(look_of(name))]
    assert len(looks) == 2
    claims = [
        one
        for classes in (deliveries.DIRECT, deliveries.WAITING)
        for one in statements(partial(deliveries._claim, classes, 4, 30))
        if "WITH chosen" in one
    ]
    assert len(claims) == 4
    read = {one: pages(one) for one in relay + looks + claims}
    assert {one: n for one, n in read.items() if n > 250} == {}
    assert all(n < 60 for one, n in read.items() if one in looks), read


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
    assert figures["events not taken yet"] == figures["deliveries that wait"] == "10,000+"
