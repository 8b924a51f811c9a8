"""The worker's side of the event bus: claims deliveries, runs their receivers, settles them.

A receiver's writes and the mark "delivered" are one transaction, so its effect on the database happens exactly once
however often a message, a claim or a worker is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from math import ceil

import structlog
from django.db import connection, models, transaction
from django.db.models.functions import Now
from prometheus_client import Counter

from apps.core.bus import bus
from apps.core.context import bound
from apps.core.queue.work_queue import Backoff, DeliveryState, LeaseLost, claim, in_seconds, load, settle, storable
from apps.events.bus import StoredEvent, bulk, send
from apps.events.models import Delivery, OutboxEvent

log = structlog.get_logger("deliveries")
DELIVERIES = Counter("event_deliveries_total", "Attempts to deliver an event", ["receiver", "outcome"])
BATCH = 50
LEASE_SECONDS = 30
# longer than one receiver may wait: the retries' budget, a last call, a mail server
WAITING_LEASE_SECONDS = 45
BACKOFF = Backoff()

# an earlier delivery of the same aggregate to the same receiver goes first
IN_ORDER = """NOT EXISTS (SELECT 1 FROM events_delivery e WHERE e.receiver = q.receiver
    AND e.aggregate = q.aggregate AND e.id < q.id AND e.due_at IS NOT NULL)"""
# what a person waits for, and what is bulk
CLASSES = ("NOT q.bulk", "q.bulk")
DIRECT = tuple(f"NOT q.waits AND {which} AND {IN_ORDER}" for which in CLASSES)
WAITING = tuple(f"q.waits AND {which} AND {IN_ORDER}" for which in CLASSES)
# bulk may take so much more than it finds room for, so that a steady stream of people's work does not starve it
BULK_SHARE = 0.1


class Postponed(Exception):
    """The receiver cannot work now, through no fault of its own; try again in `seconds`, and count no attempt."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class EndedItsWorker(Exception):
    """The receiver used up its attempts, and each time the worker was gone before it had answered."""


def work(*, seconds: float) -> int:
    """Run receivers that do not wait, until nothing is due or `seconds` have passed; returns how many were tried."""
    until = time.monotonic() + seconds
    tried = 0
    while time.monotonic() < until and (batch := _claim(DIRECT, BATCH, LEASE_SECONDS)):
        tried += len(batch)
        # rows that failed or crashed before go alone, so that a bad one does not fail the others with it
        first = [d for d in batch if d.attempts == 1]
        done = first if len(first) > 1 and _deliver_together(first) else []
        for delivery in batch:
            if delivery not in done:
                deliver(delivery)
    return tried


def work_waiting(*, seconds: float, threads: int = 1) -> int:
    """Like `work`, for the receivers that wait for other machines; `threads` of them wait at the same time."""
    until = time.monotonic() + seconds
    tried = 0
    while time.monotonic() < until and (batch := _claim(WAITING, threads, WAITING_LEASE_SECONDS)):
        tried += len(batch)
        if threads == 1:
            for delivery in batch:
                deliver(delivery)
            continue
        # the threads need the pool's connections more than this one, which only waits for them
        connection.close()
        with ThreadPoolExecutor(len(batch), "deliver") as pool:
            list(pool.map(_deliver_in_thread, batch))
    return tried


def _deliver_in_thread(delivery: Delivery) -> None:
    try:
        deliver(delivery)
    finally:
        # back to the pool: the thread ends, and nothing else would return it
        connection.close()


def _claim(classes: tuple[str, ...], limit: int, lease: int) -> list[Delivery]:
    """Claim what people wait for first; bulk gets the room that is left, and always a little."""
    people, bulk = classes
    ids = claim("events_delivery", where=people, limit=limit, lease=lease)
    room = max(limit - len(ids), ceil(limit * BULK_SHARE))
    ids += claim("events_delivery", where=bulk, limit=room, lease=lease)
    found, unreadable = load(Delivery.objects.select_related("event"), ids) if ids else ([], {})
    for key, error in unreadable.items():
        _bury(key, error)
    return found


def _bury(key: int, error: Exception) -> None:
    """Make a row that cannot be read a dead letter at once: another attempt would read the same."""
    log.error("delivery_unreadable", delivery_id=key, error=repr(error))
    last_error = storable(f"The row cannot be read: {type(error).__name__}: {error}")[:2000]
    row = Delivery.objects.filter(id=key, token__isnull=False)
    row.update(token=None, state=DeliveryState.DEAD, due_at=None, settled_at=Now(), last_error=last_error)


def _deliver_together(batch: Sequence[Delivery]) -> bool:
    """Run a batch in one transaction; False if any of it failed; then nothing was kept."""
    try:
        with transaction.atomic():
            for delivery in batch:
                _run(delivery)
            marked = Delivery.objects.filter(id__in=[d.id for d in batch], token__in=[d.token for d in batch]).update(
                token=None, due_at=None, state=DeliveryState.DELIVERED, settled_at=Now(), last_error=""
            )
            if marked != len(batch):
                raise LeaseLost("a lease of the batch ran out")
    except Exception as error:  # whatever it was, each delivery now runs alone and shows its own error
        log.info("batch_split", size=len(batch), error=repr(error))
        return False
    for delivery in batch:
        with bound(delivery.event.request_id, event_id=delivery.event_id, receiver=delivery.receiver):
            _tell_delivered(delivery)
    return True


def deliver(delivery: Delivery) -> None:
    """Run one claimed delivery and settle it: delivered, postponed, failed until its next attempt, or dead."""
    event = delivery.event
    names = {"event_id": event.id, "receiver": delivery.receiver, "attempt": delivery.attempts}
    with bound(event.request_id, **names), _following(delivery):
        try:
            if delivery.attempts > BACKOFF.max_attempts:
                raise EndedItsWorker("No worker came to the end of any attempt.")
            if delivery.waits:
                answer = send(_stored(event), delivery.receiver)
                with transaction.atomic():
                    if answer is not None:
                        bus.execute(answer)
                    _mark_delivered(delivery)
            else:
                with transaction.atomic():
                    _run(delivery)
                    _mark_delivered(delivery)
        except LeaseLost as error:
            log.warning("delivery_lease_lost", error=str(error))
        except Postponed as error:
            _postpone(delivery, error)
        except Exception as error:  # a receiver may raise anything; it must not stop the next one
            _fail(delivery, error)
        else:
            _tell_delivered(delivery)


def _tell_delivered(delivery: Delivery) -> None:
    DELIVERIES.labels(delivery.receiver, "delivered").inc()
    log.info("event_delivered", type=delivery.event.type)


def _run(delivery: Delivery) -> None:
    event = delivery.event
    with bound(event.request_id, event_id=event.id, receiver=delivery.receiver), _following(delivery):
        if send(_stored(event), delivery.receiver) is not None:
            raise TypeError(f"{delivery.receiver} returned a command: only a receiver with waits=True may")


def _following(delivery: Delivery) -> AbstractContextManager[None]:
    """What follows from bulk is bulk."""
    return bulk() if delivery.bulk else nullcontext()


def _stored(event: OutboxEvent) -> StoredEvent:
    return StoredEvent(event.id, event.type, event.aggregate, event.data, event.occurred_at)


def _row(delivery: Delivery) -> models.QuerySet[Delivery]:
    return Delivery.objects.filter(id=delivery.id)


def _mark_delivered(delivery: Delivery) -> None:
    settle(
        _row(delivery),
        delivery.token,
        due_at=None,
        state=DeliveryState.DELIVERED,
        settled_at=Now(),
        last_error="",
    )


def _postpone(delivery: Delivery, error: Postponed) -> None:
    DELIVERIES.labels(delivery.receiver, "postponed").inc()
    log.info("delivery_postponed", reason=str(error), seconds=round(error.seconds, 1))
    due_at, attempts = in_seconds(error.seconds), delivery.attempts - 1
    _settle_quietly(
        delivery, state=DeliveryState.FAILED, due_at=due_at, attempts=attempts, last_error=str(error)[:2000]
    )


def _fail(delivery: Delivery, error: Exception) -> None:
    wait = BACKOFF.wait(delivery.attempts)
    last_error = f"{type(error).__name__}: {error}"[:2000]
    if wait is None:
        DELIVERIES.labels(delivery.receiver, "dead").inc()
        log.error("delivery_dead", exc_info=error)
        _settle_quietly(delivery, state=DeliveryState.DEAD, due_at=None, settled_at=Now(), last_error=last_error)
    else:
        DELIVERIES.labels(delivery.receiver, "failed").inc()
        log.warning("delivery_failed", error=last_error, next_in_seconds=round(wait, 1))
        _settle_quietly(delivery, state=DeliveryState.FAILED, due_at=in_seconds(wait), last_error=last_error)


def _settle_quietly(delivery: Delivery, **changes: object) -> None:
    try:
        settle(_row(delivery), delivery.token, **changes)
    except LeaseLost as error:
        log.warning("delivery_lease_lost", error=str(error))
