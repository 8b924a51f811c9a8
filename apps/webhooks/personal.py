"""What webhooks keep about a person: the messages about them; those that still wait are sent under a pseudonym."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat

from apps.core.personal import Holding, Person, Row, aggregates_of, hold, newest, walk
from apps.events.models import OutboxEvent
from apps.events.personal import ERASED, erased
from apps.webhooks.models import WebhookDelivery

AT_ONCE, EVENTS_AT_ONCE, WALKED = 1000, 200, 2000
NEWEST = """
    SELECT id, body, log, last_error FROM webhooks_webhookdelivery WHERE message_id IN (
        SELECT 'evt_' || id FROM events_outboxevent WHERE aggregate = ANY(%s) ORDER BY id DESC LIMIT %s)
    LIMIT %s FOR NO KEY UPDATE SKIP LOCKED"""
# an event may be gone before its messages are: they are found by what is in them
NEXT = """
    SELECT id, body, log, last_error FROM webhooks_webhookdelivery WHERE id BETWEEN %(first)s AND %(last)s AND (
        strpos(body, %(key)s || ',') > 0 OR strpos(body, %(key)s || '}') > 0
        OR created_at <= %(gone_at)s AND concat(body, log::text, last_error) ~* %(escaped)s)
    FOR NO KEY UPDATE SKIP LOCKED"""
REPLACE = """
    UPDATE webhooks_webhookdelivery d SET body = s.body, log = s.log::jsonb, last_error = s.error
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS s(id, body, log, error) WHERE d.id = s.id"""


def _erase(sql: str, values: Any, person: Person) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        changed = [after for row in cursor.fetchall() if (after := _erased(row, person)) != row]
        if changed:
            cursor.execute(REPLACE, [list(column) for column in zip(*changed, strict=True)])


def _erased(row: tuple[int, str, str, str], person: Person) -> tuple[int, str, str, str]:
    key, body, log, error = row
    try:
        message = json.loads(body)
        if message["data"].get("user_id", person.user_id) != person.user_id:
            # about somebody else, who has the address now or had it before
            return row
        message["data"] = erased(message["type"], message["data"], person)
        body = json.dumps(message, separators=(",", ":"))
        # endpoints may repeat what they were sent
        log = json.dumps([entry | {"answer": "", "error": entry.get("error") and ERASED} for entry in json.loads(log)])
    except (ValueError, KeyError, TypeError, AttributeError):
        body, log = "{}", "[]"
    return key, body, log, error and ERASED


def erase_newest(person: Person) -> None:
    """Erase what the newest messages about them say, in the transaction of their deletion."""
    _erase(NEWEST, [aggregates_of(person), EVENTS_AT_ONCE, AT_ONCE], person)


def erase_messages(person: Person, after: str) -> str | None:
    """Erase what messages about them say."""
    said = person.values | {"key": f'"user_id":{person.user_id}'}

    def forget(first: int, last: int) -> None:
        _erase(NEXT, {**said, "first": first, "last": last}, person)

    return walk(WebhookDelivery, after, WALKED, forget)


def tell_messages(person: Person) -> Iterator[Row]:
    """The messages about them; what they say stands with the events."""
    events = OutboxEvent.objects.filter(aggregate__in=aggregates_of(person))
    ids = events.annotate(message=Concat(Value("evt_"), Cast("id", CharField()))).values("message")
    rows = WebhookDelivery.objects.filter(message_id__in=ids)
    return newest(rows.values("id", "endpoint_id", "event_id", "event_type", "state", "created_at", "settled_at"))


hold(Holding("webhook_messages", tell=tell_messages, at_once=erase_newest, step=erase_messages))
