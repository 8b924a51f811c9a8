"""What people do with the event bus: replay what stopped, prune what is finished."""

from __future__ import annotations

from datetime import timedelta

import structlog

from apps.core.errors import NotFound
from apps.core.queue.work_queue import prune_in_batches
from apps.events.commands import PruneEvents, ReplayDeliveries
from apps.events.repositories import Deliveries, Events

log = structlog.get_logger("events")
PRUNE_BATCH = 1000


class EventService:
    """Handlers of the commands in apps/events/commands.py."""

    def __init__(self, events: Events, deliveries: Deliveries, retention: timedelta, undelivered: timedelta) -> None:
        self._events = events
        self._deliveries = deliveries
        self._retention = retention
        self._undelivered = undelivered

    def replay(self, command: ReplayDeliveries) -> int:
        """Make the deliveries due now. Raises NotFound, naming ids that are not failed or dead deliveries."""
        found = self._deliveries.lock_stopped(command.ids)
        missing = sorted(set(command.ids) - found)
        if missing:
            raise NotFound(f"no failed or dead delivery with id {', '.join(map(str, missing))}")
        self._deliveries.start_over(command.ids, command.by)
        log.info("deliveries_replayed", ids=sorted(found), by=command.by)
        return len(found)

    def prune(self, command: PruneEvents) -> int:
        """Delete in batches, each its own short transaction."""
        retention, undelivered = self._retention, self._undelivered
        total = prune_in_batches(lambda limit: self._events.delete_old(retention, undelivered, limit), PRUNE_BATCH)
        log.info("events_pruned", events=total)
        return total
