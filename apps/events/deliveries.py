"""The worker's side of the event bus: claims deliveries, runs their receivers, settles them.

A receiver's writes and the mark "delivered" are one transaction, so its effect on the database happens exactly once
however often a message, a claim or a worker is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import structlog
from django.db import transaction
from django.db.models.functions import Now
from prometheus_client import Counter

from apps.core.bus import Command, bus
from apps.core.context import bound, continued, span, traceparent
from apps.core.queue.work_queue import (
    Backoff,
    DeliveryState,
    LeaseLost,
    in_seconds,
    load,
    settle,
    storable,
    work_in_threads,
)
from apps.events.bus import RECEIVERS, StoredEvent, bulk, send, send_many
from apps.events.lines import DIRECT, WAITING, Line, claim_runs, give_back, line_of, mark_delivered, parts, rounds
from apps.events.models import Delivery, OutboxEvent

log = structlog.get_logger("deliveries")
DELIVERIES = Counter("event_deliveries_total", "Attempts to deliver an event", ["receiver", "outcome"])
BATCH, LEASE_SECONDS = 100, 30
# how long one receiver may wait: the retries' budget, a last call, a mail server; how long after the claim it may start
LONGEST_WAIT_SECONDS, START_WITHIN_SECONDS = 45, 5
WAITING_LEASE_SECONDS = START_WITHIN_SECONDS + LONGEST_WAIT_SECONDS
BACKOFF = Backoff()

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
        again = {line_of(d): d.id for d in batch if d.attempts != 1}
        alone = [d for d in batch if d.id <= again.get(line_of(d), 0)]
        stopped = _deliver_singly(alone)
        first = [d for d in batch if d.id > again.get(line_of(d), 0) and line_of(d) not in stopped]
        if len(first) < 2 or not _deliver_together(first):
            stopped |= _deliver_singly(first)
        if stopped:
            give_back([d for d in batch if line_of(d) in stopped])
    return tried


def _deliver_singly(batch: Sequence[Delivery]) -> set[Line]:
    """Run deliveries one after the other; returns the lines of those that wait for another attempt.

    What follows in such a line is not run: it must not overtake.
    """
    stopped: set[Line] = set()
    for delivery in batch:
        if line_of(delivery) in stopped:
            continue
        stopped.add(line_of(delivery))
        with _told_of(delivery), _settled_if_it_fails(delivery):
            with transaction.atomic():
                _run(delivery)
                mark_delivered([delivery])
            _tell_delivered([delivery])
            stopped.remove(line_of(delivery))
    return stopped


def work_waiting(*, seconds: float, threads: int = 1) -> int:
    """Like `work`, for the receivers that wait for other machines; `threads` of them wait at the same time."""
    until = time.monotonic() + seconds
    if threads > 1:
        return work_in_threads(_claim_waiting, parts, _work_off, threads, until)
    tried = 0
    while time.monotonic() < until and (batch := _claim_waiting(1)):
        tried += len(batch)
        for delivery in batch:
            deliver(delivery)
    return tried


def _claim_waiting(limit: int) -> list[Delivery]:
    return _claim(WAITING, limit, WAITING_LEASE_SECONDS)


def _work_off(batch: Sequence[Delivery], claimed: float) -> None:
    """Run deliveries one after the other, and settle those that succeeded together."""
    answered: list[Answered] = []
    stopped: set[Line] = set()
    for delivery in batch:
        # the lease would run out before the last has waited its longest
        if time.monotonic() > claimed + START_WITHIN_SECONDS:
            stopped.add(line_of(delivery))
        if line_of(delivery) in stopped:
            continue
        stopped.add(line_of(delivery))
        with _told_of(delivery), _settled_if_it_fails(delivery):
            answered.append((delivery, _answer(delivery)))
            stopped.remove(line_of(delivery))
    if answered:
        stopped |= _keep(answered)
    if stopped:
        give_back(batch)


def _keep(answered: Sequence[Answered]) -> set[Line]:
    """Keep answers and marks in one transaction; if that fails, each in one of its own.

    Returns the lines of those that failed; what has something to keep in such a line is not kept: it must not overtake.
    """
    stopped: set[Line] = set()
    if len(answered) > 1:
        try:
            _commit(answered)
        except Exception as error:  # whatever it was, each now shows its own error
            log.info("batch_split", size=len(answered), error=repr(error))
        else:
            return stopped
    for delivery, answer in answered:
        if answer is not None and line_of(delivery) in stopped:
            continue
        stopped.add(line_of(delivery))
        with _told_of(delivery), _settled_if_it_fails(delivery):
            _commit([(delivery, answer)])
            stopped.remove(line_of(delivery))
    return stopped


def _commit(answered: Sequence[Answered]) -> None:
    with transaction.atomic():
        for delivery, answer in answered:
            if answer is not None:
                with _told_of(delivery):
                    bus.execute(answer)
        mark_delivered([delivery for delivery, _ in answered])
    _tell_delivered([delivery for delivery, _ in answered])


def _claim(classes: tuple[str, ...], limit: int, lease: int) -> list[Delivery]:
    """Claim runs of lines; what cannot be read is settled at once."""
    ids = claim_runs(classes, limit, lease)
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
            mark_delivered(batch)
    except Exception as error:  # whatever it was, each delivery now runs alone and shows its own error
        log.info("batch_split", size=len(batch), error=repr(error))
        return False
    _tell_delivered(batch)
    return True


def _run_all(batch: Sequence[Delivery]) -> None:
    """Run receivers that do not wait; one that takes many gets its events of one type at once."""
    for group in rounds(batch):
        receiver = RECEIVERS.get(group[0].receiver)
        if receiver and receiver.many:
            facts = {"messaging.batch.message_count": len(group)}
            causes = {delivery.event.traceparent for delivery in group}
            with _following(group[0]), span(f"deliver {receiver.name}", "consumer", facts, parents=causes):
                send_many([_stored(delivery.event) for delivery in group], receiver.name)
            continue
        for delivery in group:
            with _told_of(delivery):
                _run(delivery)


def deliver(delivery: Delivery) -> None:
    """Run one claimed delivery and settle it: delivered, postponed, failed until its next attempt, or dead."""
    if delivery.waits:
        _work_off([delivery], time.monotonic())
    else:
        _deliver_singly([delivery])


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
    cause = event.request_id, event.traceparent
    return StoredEvent(event.id, event.type, event.aggregate, event.data, event.occurred_at, *cause)


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
