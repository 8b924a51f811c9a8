"""Endpoints and their deliveries in PostgreSQL.

`Endpoints` and `Deliveries` serve the use cases. `SendQueue` serves the sender: it claims deliveries with room for each
endpoint, and settles them in batches.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from apps.core.context import request_id, traceparent
from apps.core.errors import NotFound
from apps.core.queue.work_queue import DeliveryState, any_due
from apps.core.repository import DjangoRepository
from apps.events.bus import room_for_bulk
from apps.webhooks.commands import Told
from apps.webhooks.messages import Message, Outcome
from apps.webhooks.models import Endpoint, WebhookDelivery
from apps.webhooks.secrets import SecretBox

WAITING = (DeliveryState.PENDING, DeliveryState.FAILED)
FAN_OUT = """
    INSERT INTO webhooks_webhookdelivery
        (endpoint_id, message_id, event_id, event_type, body, request_id, traceparent, bulk,
         state, log, attempts, last_error)
    SELECT e.id, 'evt_' || m.event_id, m.event_id, m.event_type, m.body, m.request_id, m.traceparent, %s,
        'pending', '[]', 0, ''
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY
        AS m(event_id, event_type, body, request_id, traceparent, place)
    JOIN webhooks_endpoint e ON e.is_active AND (e.event_types = '{}' OR m.event_type = ANY(e.event_types))
    ORDER BY m.place, e.id
    FOR KEY SHARE OF e
    ON CONFLICT (endpoint_id, message_id) DO NOTHING"""

LEASE_SECONDS = 60
PER_ENDPOINT = 25
# the endpoint's circuit breaker: after so many failures in a row one request at a time probes it
BREAKER_THRESHOLD = 5

# of an endpoint's room, kept for bulk that waits, however much people's work there is
BULK_ROOM = 3

# what the relay looks for, and what CLAIM takes from
ACTIVE = "EXISTS (SELECT 1 FROM webhooks_endpoint e WHERE e.id = q.endpoint_id AND e.is_active)"
DUE = (f"NOT q.bulk AND {ACTIVE}", f"q.bulk AND {ACTIVE}")
PEOPLE_DUE = any_due("webhooks_webhookdelivery", "q.endpoint_id = e.id AND NOT q.bulk")
BULK_DUE = any_due("webhooks_webhookdelivery", "q.endpoint_id = e.id AND q.bulk")
# the LIMIT in `claimed` cuts nothing: without it the planner expects many rows, and reads the whole table for them
CLAIM = f"""
    WITH waiting AS (
        SELECT e.id, e.failures, {PEOPLE_DUE} AS people, {BULK_DUE} AS bulk
        FROM webhooks_endpoint e WHERE e.is_active AND (e.failures > 0) = %(failing)s),
    ready AS (
        SELECT w.id, CASE WHEN w.failures < %(threshold)s THEN %(cap)s ELSE 1 END - f.all_of_it AS room,
            CASE WHEN w.bulk AND w.failures < %(threshold)s THEN greatest(%(least)s - f.bulk, 0) ELSE 0 END AS kept
        FROM waiting w CROSS JOIN LATERAL (
            SELECT count(*) AS all_of_it, count(*) FILTER (WHERE f.bulk) AS bulk FROM webhooks_webhookdelivery f
            WHERE f.endpoint_id = w.id AND f.token IS NOT NULL AND f.due_at > statement_timestamp()) f
        WHERE w.people OR w.bulk),
    people AS (
        SELECT d.id, ready.id AS endpoint FROM ready CROSS JOIN LATERAL (
            SELECT q.id FROM webhooks_webhookdelivery q
            WHERE q.endpoint_id = ready.id AND NOT q.bulk AND q.due_at <= statement_timestamp()
            ORDER BY q.due_at, q.id LIMIT greatest(ready.room - ready.kept, 0) FOR NO KEY UPDATE SKIP LOCKED) d
        LIMIT %(limit)s),
    bulk AS (
        SELECT d.id FROM ready CROSS JOIN LATERAL (
            SELECT q.id FROM webhooks_webhookdelivery q
            WHERE q.endpoint_id = ready.id AND q.bulk AND q.due_at <= statement_timestamp()
            ORDER BY q.due_at, q.id
            LIMIT greatest(ready.room - (SELECT count(*) FROM people WHERE endpoint = ready.id), 0)
            FOR NO KEY UPDATE SKIP LOCKED) d
        LIMIT greatest(%(limit)s - (SELECT count(*) FROM people), %(floor)s)),
    claimed AS (
        UPDATE webhooks_webhookdelivery t SET token = gen_random_uuid(), attempts = attempts + 1,
            due_at = statement_timestamp() + make_interval(secs => %(lease)s)
        FROM (SELECT id FROM people UNION ALL SELECT id FROM bulk LIMIT %(limit)s + %(floor)s) chosen
        WHERE t.id = chosen.id RETURNING t.*)
    SELECT c.id, c.token, c.endpoint_id, e.failures > 0, c.attempts, c.message_id, c.event_type, c.body, c.request_id,
        c.traceparent, e.url, e.secret, CASE WHEN e.previous_secret_until > now() THEN e.previous_secret ELSE '' END
    FROM claimed c JOIN webhooks_endpoint e ON e.id = c.endpoint_id"""  # noqa: S608 - constants of the code
# an outcome and the seconds to the next attempt; None: there is none
Settlement = tuple[Outcome, float | None]
FACTS = (
    "id", "token", "endpoint_id", "failing", "attempts", "message_id", "event_type", "body", "request_id",
    "traceparent", "url",
)  # fmt: skip
SETTLE = """
    UPDATE webhooks_webhookdelivery d SET token = NULL, state = s.state, log = d.log || s.entry::jsonb,
        last_error = s.error, due_at = now() + make_interval(secs => s.wait),
        settled_at = CASE WHEN s.wait IS NULL THEN now() END
    FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::float8[], %s::text[], %s::text[])
        AS s(id, token, state, wait, entry, error)
    WHERE d.id = s.id AND d.token = s.token RETURNING d.id"""
POSTPONE = """
    UPDATE webhooks_webhookdelivery d SET token = NULL, attempts = greatest(attempts - 1, 0),
        due_at = now() + make_interval(secs => %s)
    FROM unnest(%s::bigint[], %s::uuid[]) AS s(id, token) WHERE d.id = s.id AND d.token = s.token"""
RENEW = [
    f"""UPDATE webhooks_endpoint SET {column} = %s WHERE id = (
        SELECT id FROM webhooks_endpoint WHERE id = %s AND {column} = %s FOR NO KEY UPDATE SKIP LOCKED)"""  # noqa: S608 - constants
    for column in ("secret", "previous_secret")
]
LOCK = "SELECT 1 FROM webhooks_endpoint WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
SUCCEEDED = """
    UPDATE webhooks_endpoint SET failures = 0, failing_since = NULL, last_success_at = now()
    WHERE id = ANY(%s) AND (failures > 0 OR last_success_at IS NULL OR last_success_at < now() - interval '1 minute')"""
FAILED = """
    UPDATE webhooks_endpoint e SET failures = e.failures + s.n, failing_since = coalesce(e.failing_since, now())
    FROM unnest(%s::bigint[], %s::int[]) AS s(id, n) WHERE e.id = s.id
    RETURNING e.id, e.is_active AND e.failing_since < now() - make_interval(hours => %s)"""


class Endpoints(DjangoRepository[Endpoint]):
    """Endpoints in PostgreSQL."""

    model = Endpoint

    def switch_off(self, key: int, reason: str) -> bool:
        """Switch the endpoint off and keep the reason; returns whether it was on until now."""
        rows = Endpoint.objects.filter(id=key, is_active=True)
        return bool(rows.update(is_active=False, disabled_reason=reason, updated_at=Now()))


class Deliveries:
    """Deliveries, for what people and events do with them."""

    def queue_one(self, endpoint: Endpoint, message_id: str, event_type: str, body: str) -> int:
        """Insert a message to one endpoint, due at once; returns its id."""
        delivery = WebhookDelivery.objects.create(
            endpoint=endpoint,
            message_id=message_id,
            event_type=event_type,
            body=body,
            request_id=request_id(),
            traceparent=traceparent(),
        )
        return delivery.id

    def queue_for_all(self, events: Sequence[Told], *, bulk: bool) -> int:
        """Insert a delivery of each to each active endpoint that wants it and does not have it; returns how many."""
        if not events:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(FAN_OUT, [bulk, *[list(column) for column in zip(*_placed(events), strict=True)]])
            made: int = cursor.rowcount
        return made

    def lock(self, endpoint_id: int, delivery_id: int) -> WebhookDelivery:
        """The delivery, locked until the transaction ends. Raises NotFound."""
        rows = WebhookDelivery.objects.filter(id=delivery_id, endpoint_id=endpoint_id)
        row = rows.select_for_update(no_key=True).first()
        if row is None:
            raise NotFound(f"There is no delivery {delivery_id} of webhook {endpoint_id}.")
        return row

    def start_over(self, row: WebhookDelivery) -> None:
        """Make the delivery due at once, with fresh attempts."""
        WebhookDelivery.objects.filter(id=row.id, endpoint_id=row.endpoint_id).update(
            state=DeliveryState.PENDING, due_at=Now(), attempts=0, token=None, settled_at=None
        )

    def hurry_failed(self, endpoint_id: int) -> None:
        """Make due at once what waits for its next attempt."""
        WebhookDelivery.objects.filter(endpoint_id=endpoint_id, state=DeliveryState.FAILED, token=None).update(
            due_at=Now()
        )

    def delete_old(self, settled: timedelta, waiting: timedelta, limit: int) -> int:
        """Delete up to `limit` that were settled longer than `settled` ago, or wait for longer than `waiting`."""
        before, made = Now() - settled, Now() - waiting
        old = WebhookDelivery.objects.filter(Q(settled_at__lt=before) | Q(created_at__lt=made, state__in=WAITING))
        deleted, _ = WebhookDelivery.objects.filter(id__in=old.values("id")[:limit]).delete()
        return deleted


class SendQueue:
    """Deliveries that are due, as the sender takes and settles them; `box` opens the secrets that sign them."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def claim(self, limit: int, *, failing: bool) -> list[Message]:
        """Claim up to `limit` due messages, of endpoints that fail or of the others, as many as each has room for.

        What a person waits for goes first. Bulk gets the room that is left, and always a little, beyond `limit` too.
        """
        if limit <= 0:
            return []
        values = {"threshold": BREAKER_THRESHOLD, "cap": PER_ENDPOINT, "failing": failing, "limit": limit}
        values |= {"least": BULK_ROOM, "floor": room_for_bulk(limit, limit)}
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, values | {"lease": LEASE_SECONDS})
            rows = cursor.fetchall()
        opened = {closed: self._box.read_and_renew(closed) for closed in {text for row in rows for text in row[-2:]}}
        _keep_renewed({(row[2], closed): again for row in rows for closed in row[-2:] if (again := opened[closed][1])})
        return [_message(row, {closed: secret for closed, (secret, _) in opened.items()}) for row in rows]

    def postpone(self, messages: Sequence[Message], seconds: float) -> None:
        """Make `messages` due again in `seconds`, as if they had not been claimed, if the lease still holds."""
        with connection.cursor() as cursor:
            cursor.execute(
                POSTPONE, [seconds, [message.id for message in messages], [message.token for message in messages]]
            )

    def settle(self, outcomes: Sequence[Settlement], disable_after_hours: int) -> list[int]:
        """Write outcomes with the wait to the next attempt (None: no other); those that lost their lease are dropped.

        Returns the endpoints that have failed for `disable_after_hours` without a success.
        """
        rows = [_settlement(outcome, wait) for outcome, wait in outcomes]
        with transaction.atomic(), connection.cursor() as cursor:
            endpoints = sorted({outcome.message.endpoint_id for outcome, _ in outcomes})
            # in order, so that two senders cannot wait for each other
            cursor.execute(LOCK, [endpoints])
            cursor.execute(SETTLE, [list(column) for column in zip(*rows, strict=True)])
            kept = {delivery_id for (delivery_id,) in cursor.fetchall()}
            # what this service could not even send says nothing about the endpoint
            valid = [outcome for outcome, _ in outcomes if outcome.sent and outcome.message.id in kept]
            return _count(cursor, valid, disable_after_hours)

    def disconnect(self) -> None:
        """Give up this thread's connection to the database."""
        connection.close()


def _keep_renewed(renewed: Mapping[tuple[int, str], str]) -> None:
    """Keep secrets under the current SECRET_KEY, by endpoint and by what an earlier key closed.

    One that somebody has locked is left for the next time.
    """
    if not renewed:
        return
    with connection.cursor() as cursor:
        for (endpoint_id, closed), again in renewed.items():
            for statement in RENEW:
                cursor.execute(statement, [again, endpoint_id, closed])


def _placed(events: Sequence[Told]) -> list[Told]:
    """`events`, each in its own trace: here, if here is in that trace, and else where it happened."""
    here = traceparent()
    return [told._replace(traceparent=here) if told.traceparent[3:35] in ("", here[3:35]) else told for told in events]


def _message(row: Sequence[Any], opened: Mapping[str, str | None]) -> Message:
    secret, previous = row[-2:]
    facts: dict[str, Any] = dict(zip(FACTS, row, strict=False))
    newest, older = opened[secret], opened[previous]
    # without the newest nothing is signed: an endpoint that has switched over to it would refuse the older one
    return Message(**facts, secrets=None if newest is None else (newest, older) if older else (newest,))


def _settlement(outcome: Outcome, wait: float | None) -> tuple[Any, ...]:
    failed = DeliveryState.DEAD if wait is None else DeliveryState.FAILED
    state = DeliveryState.DELIVERED if outcome.ok else failed
    sent = outcome.message
    return sent.id, sent.token, state.value, wait, json.dumps([outcome.entry()]), outcome.error


def _count(cursor: Any, outcomes: Sequence[Outcome], disable_after_hours: int) -> list[int]:
    good = {outcome.message.endpoint_id for outcome in outcomes if outcome.ok}
    failures: dict[int, int] = {}
    for outcome in outcomes:
        if not outcome.ok and outcome.message.endpoint_id not in good:
            failures[outcome.message.endpoint_id] = failures.get(outcome.message.endpoint_id, 0) + 1
    if good:
        cursor.execute(SUCCEEDED, [sorted(good)])
    if not failures:
        return []
    cursor.execute(FAILED, [list(failures), list(failures.values()), disable_after_hours])
    return [endpoint_id for endpoint_id, given_up in cursor.fetchall() if given_up]
