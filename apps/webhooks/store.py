"""Webhook deliveries in PostgreSQL: claimed with room for each endpoint, settled in batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from apps.webhooks.models import DeliveryState
from apps.webhooks.outbound import Message, Outcome
from apps.webhooks.secrets import SecretBox

LEASE_SECONDS = 60
PER_ENDPOINT = 25
# the endpoint's circuit breaker: after so many failures in a row one request at a time probes it
BREAKER_THRESHOLD = 5

# what the relay looks for, and what CLAIM takes from
DUE = "EXISTS (SELECT 1 FROM webhooks_endpoint e WHERE e.id = q.endpoint_id AND e.is_active)"
CLAIM = """
    WITH ready AS (
        SELECT e.id, CASE WHEN e.failures < %(threshold)s THEN %(cap)s ELSE 1 END - (
            SELECT count(*) FROM webhooks_webhookdelivery f
            WHERE f.endpoint_id = e.id AND f.token IS NOT NULL AND f.due_at > statement_timestamp()) AS room
        FROM webhooks_endpoint e
        WHERE e.is_active AND (e.failures > 0) = %(failing)s AND EXISTS (
            SELECT 1 FROM webhooks_webhookdelivery q WHERE q.endpoint_id = e.id AND q.due_at <= statement_timestamp())),
    chosen AS (
        SELECT d.id FROM ready CROSS JOIN LATERAL (
            SELECT q.id FROM webhooks_webhookdelivery q
            WHERE q.endpoint_id = ready.id AND q.due_at <= statement_timestamp()
            ORDER BY q.due_at, q.id LIMIT greatest(ready.room, 0) FOR NO KEY UPDATE SKIP LOCKED) d
        LIMIT %(limit)s),
    claimed AS (
        UPDATE webhooks_webhookdelivery t SET token = gen_random_uuid(), attempts = attempts + 1,
            due_at = statement_timestamp() + make_interval(secs => %(lease)s)
        FROM chosen WHERE t.id = chosen.id RETURNING t.*)
    SELECT c.id, c.token, c.endpoint_id, e.failures > 0, c.attempts, c.message_id, c.event_type, c.body, c.request_id,
        e.url, e.secret, CASE WHEN e.previous_secret_until > now() THEN e.previous_secret ELSE '' END
    FROM claimed c JOIN webhooks_endpoint e ON e.id = c.endpoint_id"""
# an outcome and the seconds to the next attempt; None: no other follows
Settlement = tuple[Outcome, float | None]
FACTS = (
    "id", "token", "endpoint_id", "failing", "attempts", "message_id", "event_type", "body", "request_id", "url",
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
LOCK = "SELECT 1 FROM webhooks_endpoint WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
SUCCEEDED = """
    UPDATE webhooks_endpoint SET failures = 0, failing_since = NULL, last_success_at = now()
    WHERE id = ANY(%s) AND (failures > 0 OR last_success_at IS NULL OR last_success_at < now() - interval '1 minute')"""
FAILED = """
    UPDATE webhooks_endpoint e SET failures = e.failures + s.n, failing_since = coalesce(e.failing_since, now())
    FROM unnest(%s::bigint[], %s::int[]) AS s(id, n) WHERE e.id = s.id
    RETURNING e.id, e.is_active AND e.failing_since < now() - make_interval(hours => %s)"""


def claim(limit: int, box: SecretBox, *, failing: bool) -> list[Message]:
    """Claim up to `limit` due messages, of endpoints that fail or of the others, as many as each has room for."""
    if limit <= 0:
        return []
    values = {"threshold": BREAKER_THRESHOLD, "cap": PER_ENDPOINT, "failing": failing, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, values | {"lease": LEASE_SECONDS})
        rows = cursor.fetchall()
    opened: dict[str, str | None] = {}
    return [_message(row, box, opened) for row in rows]


def _message(row: Sequence[Any], box: SecretBox, opened: dict[str, str | None]) -> Message:
    secret, previous = row[-2:]
    facts: dict[str, Any] = dict(zip(FACTS, row, strict=False))
    for closed in (secret, previous):
        if closed not in opened:
            opened[closed] = box.readable(closed)
    newest, older = opened[secret], opened[previous]
    # without the newest nothing is signed: a receiver that has switched over to it would refuse the older one
    return Message(**facts, secrets=None if newest is None else (newest, older) if older else (newest,))


def postpone(messages: Sequence[Message], seconds: float) -> None:
    """Make `messages` due again in `seconds`, as if they had not been claimed, where the lease still holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            POSTPONE, [seconds, [message.id for message in messages], [message.token for message in messages]]
        )


def settle(outcomes: Sequence[Settlement], disable_after_hours: int) -> list[int]:
    """Write the outcomes with the wait to the next attempt (None: no other); outcomes whose lease was lost are dropped.

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
