"""What answers the messages of events."""

from __future__ import annotations

from datetime import timedelta

from apps.core.bus import Bus
from apps.events import commands as events
from apps.events import queries as event_queries
from apps.events.repositories import Deliveries, Events
from apps.events.services import EventService
from config.container import Container


def wire(container: Container, bus: Bus) -> None:
    """Register the handlers."""
    env = container.env
    retention = timedelta(days=env.event_retention_days), timedelta(days=env.undelivered_retention_days)
    service = EventService(Events(), Deliveries(), *retention)
    bus.register(events.ReplayDeliveries, service.replay)
    bus.register(events.PruneEvents, service.prune)
    bus.register(event_queries.ReadFeed, event_queries.read_feed)
    bus.register(event_queries.GetBacklog, event_queries.get_backlog)
