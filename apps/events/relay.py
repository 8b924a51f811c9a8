"""The relay: takes committed events out of the outbox, makes their deliveries and wakes the workers.

A process of its own. It polls, since a NOTIFY in every commit halves the rate of commits; several may run, one of them
sequences at a time, and one that is killed leaves nothing behind but a transaction that PostgreSQL rolls back.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import structlog
from django.db import Error as DatabaseError
from django.db import connection, transaction
from prometheus_client import Counter

from apps.core.context import span
from apps.core.queue.work_queue import REFUSED_ROW, Span, look, send_wake_up, woken_tasks
from apps.events.bus import RECEIVERS, receivers_with_a_use, room_for_bulk

log = structlog.get_logger("relay")
RELAYED = Counter("relay_events_total", "Events that the relay has taken out of the outbox")
RELAY_REFUSED = Counter("relay_refused_total", "Events that could not be fanned out and were set aside for a while")

# any constant will do: it names the lock of the one relay that sequences
SEQUENCER_LOCK = 0x0B0B
BATCH = 500
QUICK_SECONDS, SLOW_SECONDS, SLOWEST_SECONDS = 0.05, 1.0, 5.0
# between two looks: after events have come, and growing from there to that of a quiet service
SOON_SECONDS, IDLE_SECONDS = 0.02, 0.25
# a look at what is due takes longer than one at the outbox; after events have come there is always one
LOOK_SECONDS = 0.05
STALLED_SECONDS = 3.0
ASIDE_SECONDS = 60.0

# One statement, so that both classes are seen at one moment; `earlier` are bulk events of people's aggregates.
# "id + 0" is the order of the index of what waits alone: by "id" a plan may read all that was taken before.
UNSEQUENCED = """
    WITH people AS (
        SELECT id, type, aggregate, traceparent FROM events_outboxevent
        WHERE position IS NULL AND NOT bulk AND id <> ALL(%(but)s) ORDER BY id + 0 LIMIT %(limit)s),
    bulk AS (
        SELECT id, type, aggregate, traceparent FROM events_outboxevent
        WHERE position IS NULL AND bulk AND id <> ALL(%(but)s) ORDER BY id + 0 LIMIT %(limit)s),
    earlier AS (
        SELECT e.id, e.type, e.aggregate, e.traceparent FROM people CROSS JOIN LATERAL (
            SELECT o.id, o.type, o.aggregate, o.traceparent FROM events_outboxevent o
            WHERE o.position IS NULL AND o.bulk AND o.aggregate = people.aggregate AND o.id < people.id
              AND o.id <> ALL(%(but)s) ORDER BY o.id LIMIT %(limit)s) e)
    SELECT 'people', * FROM people UNION ALL SELECT 'bulk', * FROM bulk UNION ALL SELECT 'earlier', * FROM earlier"""
ONE = "SELECT id, type, aggregate, bulk, traceparent FROM events_outboxevent WHERE position IS NULL AND id = %s"
POSITIONS = "SELECT nextval('events_position') FROM generate_series(1, %s)"
SEQUENCE = """
    UPDATE events_outboxevent e SET position = s.position
    FROM unnest(%s::bigint[], %s::bigint[]) AS s(id, position) WHERE e.id = s.id"""
# What comes into a line that waits is `behind`, and hurries it if a person waits. The last of that line is locked, so
# that no worker settles it unseen; one that is locked already is being worked at this moment.
FAN_OUT = """
    WITH told AS (
        SELECT *, row_number() OVER (PARTITION BY receiver, aggregate ORDER BY place) AS turn,
            bool_or(NOT bulk) OVER (PARTITION BY receiver, aggregate) AS hurries
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::boolean[]) WITH ORDINALITY
            AS r(event_id, receiver, aggregate, waits, bulk, place)),
    waiting AS (
        SELECT t.receiver, t.aggregate, t.hurries FROM told t CROSS JOIN LATERAL (
            SELECT FROM events_delivery q
            WHERE q.receiver = t.receiver AND q.aggregate = t.aggregate AND q.due_at IS NOT NULL
            ORDER BY q.id + 0 DESC LIMIT 1 FOR SHARE SKIP LOCKED) last
        WHERE t.turn = 1),
    hurried AS (
        UPDATE events_delivery SET bulk = false WHERE id IN (
            SELECT d.id FROM waiting w CROSS JOIN LATERAL (
                SELECT q.id FROM events_delivery q WHERE q.id IN (
                    SELECT line.id FROM (
                        SELECT l.id, l.bulk FROM events_delivery l
                        WHERE l.receiver = w.receiver AND l.aggregate = w.aggregate AND l.due_at IS NOT NULL
                        ORDER BY l.id + 0 DESC LIMIT 100) line WHERE line.bulk)
                FOR NO KEY UPDATE SKIP LOCKED) d
            WHERE w.hurries))
    INSERT INTO events_delivery (event_id, receiver, aggregate, waits, bulk, behind, state, attempts, last_error)
    SELECT t.event_id, t.receiver, t.aggregate, t.waits, t.bulk, t.turn > 1 OR w.receiver IS NOT NULL, 'pending', 0, ''
    FROM told t LEFT JOIN waiting w ON w.receiver = t.receiver AND w.aggregate = t.aggregate ORDER BY t.place
    ON CONFLICT (event_id, receiver) DO NOTHING"""
# for what was there already: the trigger looks at the lines of what is settled
LOOK_AGAIN = "UPDATE events_delivery SET due_at = NULL WHERE event_id = ANY(%s) AND due_at IS NULL"


class Taken(NamedTuple):
    """An event that the relay takes; `bulk` says how its deliveries are worked."""

    id: int
    type: str
    aggregate: str
    bulk: bool
    traceparent: str


def fan_out(limit: int = BATCH, *, only: int | None = None, but: Iterable[int] = ()) -> int:
    """Sequence up to `limit` committed events and make their deliveries, in one transaction; returns how many events.

    `only` names the one event to take, `but` those to leave out.

    Positions are given out by one relay at a time, so the feed, which reads by position, cannot miss an event that
    commits late under a lower id.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEQUENCER_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        events = _chosen(limit, but) if only is None else _one(only)
        if not events:
            return 0
        with span("relay", "producer", parents={event.traceparent for event in events}):
            cursor.execute(POSITIONS, [len(events)])
            positions = sorted(position for (position,) in cursor.fetchall())
            cursor.execute(SEQUENCE, [[event.id for event in events], positions])
            # asked after the events were read: what was committed before any of them is seen
            receivers = receivers_with_a_use({event.type for event in events})
            rows = [(e.id, r.name, e.aggregate, r.waits, e.bulk) for e in events for r in receivers[e.type]]
            if rows:
                cursor.execute(FAN_OUT, [list(column) for column in zip(*rows, strict=True)])
                if cursor.rowcount < len(rows):
                    cursor.execute(LOOK_AGAIN, [[event.id for event in events]])
        return len(events)


def _chosen(limit: int, but: Iterable[int]) -> list[Taken]:
    """People's events first; bulk gets the room that is left, and always a little. In the order of their ids.

    A bulk event before one of a person's, of the same aggregate, comes with it, and as fast.
    """
    found: dict[str, dict[int, Taken]] = {"people": {}, "bulk": {}, "earlier": {}}
    with connection.cursor() as cursor:
        cursor.execute(UNSEQUENCED, {"but": list(but), "limit": limit})
        for arm, key, event_type, aggregate, place in cursor.fetchall():
            found[arm][key] = Taken(key, event_type, aggregate, arm == "bulk", place)
    people, bulk, earlier = found.values()
    room = room_for_bulk(limit, len(people))
    if len(people) == limit:
        # a person's event that is not among these may come before a bulk event with a higher id
        bulk = {key: event for key, event in bulk.items() if key < max(people)}
    if len(earlier) >= limit:
        # perhaps not all of them: the people's events have to wait for those
        return sorted(earlier.values())[:limit]
    chosen = dict(islice(bulk.items(), room)) | people | earlier
    return sorted(chosen.values())


def _one(key: int) -> list[Taken]:
    with connection.cursor() as cursor:
        cursor.execute(ONE, [key])
        return [Taken(*event) for event in cursor.fetchall()]


@dataclass
class Throttle:
    """Spaces the wake-ups of one queue: often while work comes in or goes down, rarely while no worker takes it."""

    span: Span | None = None
    moved_at: float = 0.0
    wait: float = QUICK_SECONDS
    next_at: float = 0.0

    def wants(self, span: Span | None, now: float) -> bool:
        """Whether to send a wake-up at `now` (monotonic seconds) for what a look at the queue showed."""
        if span is None:
            self.span, self.wait = None, QUICK_SECONDS
            return False
        if self.span is None or span.oldest != self.span.oldest:
            self.moved_at = now
        if span != self.span:
            # under load the newest row changes all the time, even with no worker alive: then once a second is enough
            self.wait = QUICK_SECONDS if now - self.moved_at < STALLED_SECONDS else SLOW_SECONDS
            self.next_at = min(self.next_at, now + self.wait) if self.span else now
        self.span = span
        if now < self.next_at:
            return False
        self.next_at, self.wait = now + self.wait, min(self.wait * 2, SLOWEST_SECONDS)
        return True


@dataclass
class Relay:
    """Runs until `stop` is set; one round is `turn`.

    An event that cannot be fanned out is set aside for a minute and tried again: nothing is lost, the others go on,
    and it counts as not taken, which the alert on the oldest event sees.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    _throttles: dict[str, Throttle] = field(default_factory=lambda: defaultdict(Throttle))
    _look_at: float = 0.0
    _broker_away_until: float = 0.0
    _aside: dict[int, float] = field(default_factory=dict)

    def turn(self) -> int:
        """Fan out one batch and wake whoever has due work; returns the number of events taken."""
        events = self._take()
        RELAYED.inc(events)
        if events or time.monotonic() >= self._look_at:
            self._wake()
        return events

    def _wake(self) -> None:
        self._look_at = time.monotonic() + LOOK_SECONDS
        if time.monotonic() < self._broker_away_until:
            return
        tasks = woken_tasks()
        for task, due in zip(tasks, look(tasks), strict=True):
            now = time.monotonic()
            if self._throttles[task.name].wants(due, now) and not send_wake_up(task):
                self._throttles[task.name].next_at = now
                self._broker_away_until = time.monotonic() + SLOW_SECONDS
                return

    def _take(self) -> int:
        now = time.monotonic()
        self._aside = {key: until for key, until in self._aside.items() if until > now}
        try:
            return fan_out(but=self._aside)
        except REFUSED_ROW as error:
            log.warning("batch_split", error=str(error).strip())
            return self._take_singly()

    def _take_singly(self) -> int:
        taken = 0
        for key in [event.id for event in _chosen(BATCH, self._aside)]:
            try:
                taken += fan_out(only=key)
            except REFUSED_ROW as error:
                log.error("event_set_aside", event_id=key, error=str(error).strip(), seconds=ASIDE_SECONDS)  # noqa: TRY400 - the reason is the database's, not a place in the code
                RELAY_REFUSED.inc()
                self._aside[key] = time.monotonic() + ASIDE_SECONDS
        return taken

    def run(self) -> None:
        """Relay until `stop`; a lost database connection is logged and tried again."""
        queues = sorted(task.queue for task in woken_tasks())
        log.info("relay_started", receivers=sorted(RECEIVERS), queues=queues)
        idle = SOON_SECONDS
        while not self.stop.is_set():
            try:
                if self.turn():
                    idle = SOON_SECONDS
                    continue
                idle = min(idle * 1.5, IDLE_SECONDS)
            except DatabaseError as error:
                log.warning("relay_waits_for_database", error=str(error).strip())
                connection.close()
                idle = SLOW_SECONDS
            self.stop.wait(idle)
        log.info("relay_stopped")
