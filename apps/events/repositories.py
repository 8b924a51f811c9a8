"""Events and their deliveries in PostgreSQL, for the use cases in services.py.

What the bus itself reads and writes stands in its own modules: bus.py, relay.py, deliveries.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.core.queue.work_queue import DeliveryState
from apps.events.models import Delivery

PRUNE = """
    WITH old AS (
        SELECT e.id FROM events_outboxevent e
        WHERE e.occurred_at < now() - make_interval(secs => %(retention)s) AND e.position IS NOT NULL
          AND (e.occurred_at < now() - make_interval(secs => %(undelivered)s) OR NOT EXISTS (
              SELECT 1 FROM events_delivery d WHERE d.event_id = e.id AND d.state <> 'delivered'))
        ORDER BY e.occurred_at LIMIT %(batch)s),
    told AS (DELETE FROM events_delivery WHERE event_id IN (SELECT id FROM old))
    DELETE FROM events_outboxevent WHERE id IN (SELECT id FROM old) RETURNING id"""


class Events:
    """The outbox."""

    def delete_old(self, retention: timedelta, undelivered: timedelta, limit: int) -> int:
        """Delete up to `limit` events older than `retention`; one that is not delivered stays for `undelivered`."""
        values = {"retention": retention.total_seconds(), "undelivered": undelivered.total_seconds(), "batch": limit}
        with connection.cursor() as cursor:
            cursor.execute(PRUNE, values)
            return len(cursor.fetchall())


class Deliveries:
    """Deliveries that stopped, for a person to replay."""

    def lock_stopped(self, ids: Sequence[int]) -> set[int]:
        """Those of `ids` that are failed or dead, locked until the transaction ends."""
        return set(_stopped(ids).select_for_update(no_key=True).values_list("id", flat=True))

    def start_over(self, ids: Sequence[int], by: str) -> None:
        """Make those that are failed or dead due at once, with fresh attempts; `by` is kept with each."""
        audit = {"replayed_at": Now(), "replayed_by": by[:254]}
        _stopped(ids).update(
            state=DeliveryState.PENDING, attempts=0, due_at=Now(), token=None, settled_at=None, **audit
        )


def _stopped(ids: Sequence[int]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(id__in=ids, state__in=[DeliveryState.DEAD, DeliveryState.FAILED])
