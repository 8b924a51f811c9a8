"""What the event bus keeps about a person: events about them stay in the feed, at their places, under a pseudonym."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection

from apps.core.personal import Holding, Person, Row, aggregates_of, hold, newest, walk
from apps.events.bus import EVENTS
from apps.events.models import Delivery, OutboxEvent

AT_ONCE, BATCH, WALKED = 200, 500, 5000
ERASED = "erased with the person it was about"
# those that wait for their deliveries are the newest; one that the relay holds at this moment is left to the worker
NEWEST = """
    SELECT id, type, data FROM events_outboxevent WHERE aggregate = ANY(%s)
    ORDER BY id DESC LIMIT %s FOR NO KEY UPDATE SKIP LOCKED"""
# their number is theirs for ever, their address may be somebody else's since
NEXT = """
    SELECT id, type, data FROM events_outboxevent
    WHERE aggregate = ANY(%s) AND id > %s AND (aggregate LIKE 'user:%%' OR occurred_at <= %s)
    ORDER BY id LIMIT %s FOR NO KEY UPDATE"""
TOLD = """
    SELECT DISTINCT data ->> 'email' FROM (
        SELECT data FROM events_outboxevent WHERE aggregate = %s ORDER BY id DESC LIMIT %s) newest"""
REPLACE = """
    UPDATE events_outboxevent e SET data = s.data::jsonb FROM unnest(%s::bigint[], %s::text[]) AS s(id, data)
    WHERE e.id = s.id"""
# what a worker settles at this moment is left to the next pass
FORGET_ERRORS = """
    UPDATE events_delivery SET last_error = %s WHERE id IN (
        SELECT id FROM events_delivery WHERE event_id = ANY(%s) AND last_error NOT IN ('', %s)
        FOR NO KEY UPDATE SKIP LOCKED)"""
FORGET_REPLAYS = """
    UPDATE events_delivery SET replayed_by = %s
    WHERE id BETWEEN %s AND %s AND lower(replayed_by) = ANY(%s) AND replayed_at <= %s"""


def erased(event_type: str, data: Any, person: Person) -> Any:
    """The content of an event of `event_type` about `person`, with pseudonyms in the place of what is personal.

    Of a type that the code no longer has, every text goes.
    """
    known = EVENTS.get(event_type)
    if not isinstance(data, dict):
        return {}
    if known is None:
        return {name: "" if isinstance(value, str) else value for name, value in data.items()}
    stand_ins = {"email": person.pseudonym, "name": person.called}
    gone = {name: stand_ins.get(name, "") for name in known.personal if name in data}
    scrubbed: dict[str, Any] = person.scrub(data)
    return scrubbed | gone


def emails_told(user_id: int) -> set[str]:
    """The e-mails that the newest events about a user name."""
    with connection.cursor() as cursor:
        cursor.execute(TOLD, [f"user:{user_id}", BATCH])
        return {email for (email,) in cursor.fetchall() if email}


def _erase(person: Person, rows: list[tuple[int, str, str]]) -> None:
    changed = []
    for key, event_type, text in rows:
        try:
            before = json.loads(text)
        except ValueError:  # a number that Python refuses, for example
            before = None
        after = erased(event_type, before, person)
        if after != before:
            changed.append((key, json.dumps(after)))
    with connection.cursor() as cursor:
        if changed:
            cursor.execute(REPLACE, [list(column) for column in zip(*changed, strict=True)])
        cursor.execute(FORGET_ERRORS, [ERASED, [key for key, _, _ in rows], ERASED])


def _rows(sql: str, *values: Any) -> list[tuple[int, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: list[tuple[int, str, str]] = cursor.fetchall()
        return found


def erase_newest(person: Person) -> None:
    """Erase the newest events about them, in the transaction of their deletion."""
    _erase(person, _rows(NEWEST, aggregates_of(person), AT_ONCE))


def erase_events(person: Person, after: str) -> str | None:
    """Erase the next events about them, and what deliveries of these failed with."""
    rows = _rows(NEXT, aggregates_of(person), int(after or 0), person.gone_at, BATCH)
    _erase(person, rows)
    return str(rows[-1][0]) if len(rows) == BATCH else None


def erase_replays(person: Person, after: str) -> str | None:
    """Erase who replayed deliveries, if that was them."""
    if not person.is_staff:
        return None

    def forget(first: int, last: int) -> None:
        with connection.cursor() as cursor:
            emails = [email.lower() for email in person.emails]
            cursor.execute(FORGET_REPLAYS, [person.called, first, last, emails, person.gone_at])

    return walk(Delivery, after, WALKED, forget)


def tell_events(person: Person) -> Iterator[Row]:
    """The events about them."""
    events = OutboxEvent.objects.filter(aggregate__in=aggregates_of(person))
    return newest(events.values("id", "type", "occurred_at", "request_id", "data"))


def tell_deliveries(person: Person) -> Iterator[Row]:
    """The deliveries of these events within the service."""
    deliveries = Delivery.objects.filter(event__aggregate__in=aggregates_of(person))
    return newest(deliveries.values("id", "event_id", "receiver", "state", "attempts", "last_error", "settled_at"))


hold(Holding("events", tell=tell_events, at_once=erase_newest, step=erase_events))
hold(Holding("event_deliveries", tell=tell_deliveries, step=erase_replays))
