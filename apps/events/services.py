"""What people do with the event bus: replay what stopped, prune what is finished."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db import connection
from django.db.models.functions import Now

from apps.core.errors import NotFound
from apps.events.commands import PruneEvents, ReplayDeliveries
from apps.events.models import Delivery, DeliveryState

log = structlog.get_logger("events")

PRUNE = """
    WITH old AS (
        SELECT e.id FROM events_outboxevent e
        WHERE e.occurred_at < now() - make_interval(secs => %(retention)s) AND e.position IS NOT NULL
          AND (e.occurred_at < now() - make_interval(secs => %(undelivered)s) OR NOT EXISTS (
              SELECT 1 FROM events_delivery d WHERE d.event_id = e.id AND d.state <> 'delivered'))
        ORDER BY e.occurred_at LIMIT %(batch)s),
    told AS (DELETE FROM events_delivery WHERE event_id IN (SELECT id FROM old))
    DELETE FROM events_outboxevent WHERE id IN (SELECT id FROM old) RETURNING id"""


class EventService:
    """Handlers of the commands in apps/events/commands.py."""

    def __init__(self, retention: timedelta, undelivered: timedelta, prune_batch: int = 1000) -> None:
        self._retention = retention
        self._undelivered = undelivered
        self._prune_batch = prune_batch

    def replay(self, command: ReplayDeliveries) -> int:
        """Make the deliveries due now. Raises NotFound naming ids that are not failed or dead deliveries."""
        rows = Delivery.objects.filter(id__in=command.ids, state__in=[DeliveryState.DEAD, DeliveryState.FAILED])
        found = set(rows.select_for_update(no_key=True).values_list("id", flat=True))
        missing = sorted(set(command.ids) - found)
        if missing:
            raise NotFound(f"no failed or dead delivery with id {', '.join(map(str, missing))}")
        audit = {"replayed_at": Now(), "replayed_by": command.by[:254]}
        rows.update(state=DeliveryState.PENDING, attempts=0, due_at=Now(), token=None, settled_at=None, **audit)
        log.info("deliveries_replayed", ids=sorted(found), by=command.by)
        return len(found)

    def prune(self, command: PruneEvents) -> int:
        """Delete in batches, each its own short transaction."""
        retention, undelivered = self._retention.total_seconds(), self._undelivered.total_seconds()
        values = {"retention": retention, "undelivered": undelivered, "batch": self._prune_batch}
        total = 0
        while True:
            with connection.cursor() as cursor:
                cursor.execute(PRUNE, values)
                deleted = len(cursor.fetchall())
            total += deleted
            if deleted < self._prune_batch:
                log.info("events_pruned", events=total)
                return total
