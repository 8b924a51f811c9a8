"""The worker's side of the event bus: claims deliveries, runs their receivers, settles them.

A receiver's writes and the mark "delivered" are one transaction, so its effect on the database happens exactly once
however often a message, a claim or a worker is repeated.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import ceil
from typing import Any

import structlog
from django.db import models, transaction
from django.db.models.functions import Now
from prometheus_client import Counter

from apps.core.bus import Command, bus
from apps.core.context import bound, continued, span, traceparent
from apps.core.queue.work_queue import (
    Backoff,
    DeliveryState,
    LeaseLost,
    claim,
    in_seconds,
    load,
    settle,
    storable,
    work_in_threads,
)
from apps.events.bus import RECEIVERS, StoredEvent, bulk, room_for_bulk, send, send_many
from apps.events.models import Delivery, OutboxEvent

log = structlog.get_logger("deliveries")
DELIVERIES = Counter("event_deliveries_total", "Attempts to deliver an event", ["receiver", "outcome"])
BATCH, LEASE_SECONDS = 100, 30
# how long one receiver may wait: the retries' budget, a last call, a mail server; how long after the claim it may start
LONGEST_WAIT_SECONDS, START_WITHIN_SECONDS = 45, 5
WAITING_LEASE_SECONDS = START_WITHIN_SECONDS + LONGEST_WAIT_SECONDS
BACKOFF = Backoff()

# an earlier delivery of the same aggregate to the same receiver goes first
IN_ORDER = """NOT EXISTS (SELECT 1 FROM events_delivery e WHERE e.receiver = q.receiver
    AND e.aggregate = q.aggregate AND e.id < q.id AND e.due_at IS NOT NULL)"""
# what a person waits for, and what is bulk
CLASSES = ("NOT q.bulk", "q.bulk")
DIRECT = tuple(f"NOT q.waits AND {which} AND {IN_ORDER}" for which in CLASSES)
WAITING = tuple(f"q.waits AND {which} AND {IN_ORDER}" for which in CLASSES)
Answered = tuple[Delivery, Command[Any] | None]


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
        together = len(first) > 1 and _deliver_together(first)
        for delivery in batch:
            if not together or delivery.attempts != 1:
                deliver(delivery)
    return tried


def work_waiting(*, seconds: float, threads: int = 1) -> int:
    """Like `work`, for the receivers that wait for other machines; `threads` of them wait at the same time."""
    until = time.monotonic() + seconds
    if threads > 1:
        return work_in_threads(_claim_waiting, _parts, _work_off, threads, until)
    tried = 0
    while time.monotonic() < until and (batch := _claim_waiting(1)):
        tried += len(batch)
        for delivery in batch:
            deliver(delivery)
    return tried


def _claim_waiting(limit: int) -> list[Delivery]:
    return _claim(WAITING, limit, WAITING_LEASE_SECONDS)


def _parts(batch: Sequence[Delivery], threads: int) -> Iterator[list[Delivery]]:
    """`batch` in a part for each of `threads`, each of one receiver: a quick one does not wait behind a slow one."""
    size = ceil(len(batch) / threads)
    by_receiver = defaultdict(list)
    for delivery in batch:
        by_receiver[delivery.receiver].append(delivery)
    for rows in by_receiver.values():
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _work_off(batch: Sequence[Delivery], claimed: float) -> None:
    """Run deliveries one after the other, and settle those that succeeded together."""
    answered: list[Answered] = []
    for number, delivery in enumerate(batch):
        if time.monotonic() > claimed + START_WITHIN_SECONDS:
            # the lease would run out before the last has waited its longest
            _give_back(batch[number:])
            break
        with _told_of(delivery), _settled_if_it_fails(delivery):
            answered.append((delivery, _answer(delivery)))
    if answered:
        _keep(answered)


def _keep(answered: Sequence[Answered]) -> None:
    """Keep answers and marks in one transaction; if that fails, each in one of its own."""
    if len(answered) == 1:
        ((delivery, _),) = answered
        with _told_of(delivery), _settled_if_it_fails(delivery):
            _commit(answered)
        return
    try:
        _commit(answered)
    except Exception as error:  # whatever it was, each now shows its own error
        log.info("batch_split", size=len(answered), error=repr(error))
        for one in answered:
            _keep([one])


def _commit(answered: Sequence[Answered]) -> None:
    with transaction.atomic():
        for delivery, answer in answered:
            if answer is not None:
                with _told_of(delivery):
                    bus.execute(answer)
        _mark_delivered([delivery for delivery, _ in answered])
    _tell_delivered([delivery for delivery, _ in answered])


def _claim(classes: tuple[str, ...], limit: int, lease: int) -> list[Delivery]:
    """Claim what people wait for first; bulk gets the room that is left, and always a little."""
    people, bulk = classes
    ids = claim("events_delivery", where=people, limit=limit, lease=lease)
    room = room_for_bulk(limit, len(ids))
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
            _run_all(batch)
            _mark_delivered(batch)
    except Exception as error:  # whatever it was, each delivery now runs alone and shows its own error
        log.info("batch_split", size=len(batch), error=repr(error))
        return False
    _tell_delivered(batch)
    return True


def _run_all(batch: Sequence[Delivery]) -> None:
    """Run receivers that do not wait; one that takes many gets its events of one type at once."""
    together: dict[tuple[str, str, bool], list[Delivery]] = defaultdict(list)
    for delivery in batch:
        receiver = RECEIVERS.get(delivery.receiver)
        if receiver and receiver.many:
            together[delivery.receiver, delivery.event.type, delivery.bulk].append(delivery)
        else:
            with _told_of(delivery):
                _run(delivery)
    for (receiver_name, _, _), rows in together.items():
        facts = {"messaging.batch.message_count": len(rows)}
        causes = {delivery.event.traceparent for delivery in rows}
        with _following(rows[0]), span(f"deliver {receiver_name}", "consumer", facts, parents=causes):
            send_many([_stored(delivery.event) for delivery in rows], receiver_name)


def deliver(delivery: Delivery) -> None:
    """Run one claimed delivery and settle it: delivered, postponed, failed until its next attempt, or dead."""
    if delivery.waits:
        _work_off([delivery], time.monotonic())
        return
    with _told_of(delivery), _settled_if_it_fails(delivery):
        with transaction.atomic():
            _run(delivery)
            _mark_delivered([delivery])
        _tell_delivered([delivery])


@contextmanager
def _settled_if_it_fails(delivery: Delivery) -> Iterator[None]:
    """If the block raises, `delivery` is postponed, failed until its next attempt, or dead."""
    try:
        yield
    except LeaseLost as error:
        log.warning("delivery_lease_lost", error=str(error))
    except Postponed as error:
        _postpone(delivery, error)
    except Exception as error:  # a receiver may raise anything; it must not stop the next one
        _fail(delivery, error)


def _tell_delivered(batch: Sequence[Delivery]) -> None:
    for delivery in batch:
        DELIVERIES.labels(delivery.receiver, "delivered").inc()
        with _told_of(delivery):
            log.info("event_delivered", type=delivery.event.type)


def _answer(delivery: Delivery) -> Command[Any] | None:
    if delivery.attempts > BACKOFF.max_attempts:
        raise EndedItsWorker("No worker came to the end of any attempt.")
    cause, facts = [delivery.event.traceparent], {"app.event_id": delivery.event_id, "app.attempt": delivery.attempts}
    with span(f"deliver {delivery.receiver}", "consumer", facts, parents=cause):
        # what it answers, and the mark, belong to this attempt
        delivery.place = traceparent()
        return send(_stored(delivery.event), delivery.receiver)


def _run(delivery: Delivery) -> None:
    if _answer(delivery) is not None:
        raise TypeError(f"{delivery.receiver} returned a command: only a receiver with waits=True may")


@contextmanager
def _told_of(delivery: Delivery) -> Iterator[None]:
    """The log lines of the block say which delivery they are about, and what it publishes follows from its event."""
    names = {"event_id": delivery.event_id, "receiver": delivery.receiver, "attempt": delivery.attempts}
    place = continued(delivery.place or delivery.event.traceparent)
    with place, bound(delivery.event.request_id, **names), _following(delivery):
        yield


def _following(delivery: Delivery) -> AbstractContextManager[None]:
    """What follows from bulk is bulk."""
    return bulk() if delivery.bulk else nullcontext()


def _stored(event: OutboxEvent) -> StoredEvent:
    return StoredEvent(event.id, event.type, event.aggregate, event.data, event.occurred_at)


def _rows(batch: Sequence[Delivery]) -> models.QuerySet[Delivery]:
    """Those of `batch` whose lease still holds."""
    return Delivery.objects.filter(id__in=[d.id for d in batch], token__in=[d.token for d in batch])


def _mark_delivered(batch: Sequence[Delivery]) -> None:
    """Write that all of `batch` are delivered, in one statement. Raises LeaseLost if any was taken over."""
    ended = {"token": None, "due_at": None, "settled_at": Now()}
    if _rows(batch).update(state=DeliveryState.DELIVERED, last_error="", **ended) != len(batch):
        raise LeaseLost("the lease ran out and another worker has the row")


def _give_back(batch: Sequence[Delivery]) -> None:
    """Make deliveries due again that were not begun, as if they had not been claimed."""
    _rows(batch).update(token=None, due_at=Now(), attempts=models.F("attempts") - 1)


def _postpone(delivery: Delivery, error: Postponed) -> None:
    DELIVERIES.labels(delivery.receiver, "postponed").inc()
    log.info("delivery_postponed", reason=str(error), seconds=round(error.seconds, 1))
    due_at, last_error = in_seconds(error.seconds), str(error)[:2000]
    _settle_quietly(delivery, DeliveryState.FAILED, last_error, due_at=due_at, attempts=delivery.attempts - 1)


def _fail(delivery: Delivery, error: Exception) -> None:
    wait = BACKOFF.wait(delivery.attempts)
    last_error = f"{type(error).__name__}: {error}"[:2000]
    if wait is None:
        DELIVERIES.labels(delivery.receiver, "dead").inc()
        log.error("delivery_dead", exc_info=error)
        _settle_quietly(delivery, DeliveryState.DEAD, last_error, due_at=None, settled_at=Now())
    else:
        DELIVERIES.labels(delivery.receiver, "failed").inc()
        log.warning("delivery_failed", error=last_error, next_in_seconds=round(wait, 1))
        _settle_quietly(delivery, DeliveryState.FAILED, last_error, due_at=in_seconds(wait))


def _settle_quietly(delivery: Delivery, state: DeliveryState, last_error: str, **changes: object) -> None:
    try:
        settle(Delivery.objects.filter(id=delivery.id), delivery.token, state=state, last_error=last_error, **changes)
    except LeaseLost as error:
        log.warning("delivery_lease_lost", error=str(error))
