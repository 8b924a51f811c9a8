"""Sends what is due: many at once, few to one endpoint, and the healthy endpoints first.

One event loop holds hundreds of requests in flight, so an endpoint that hangs costs a socket, not a worker. Each round
claims from PostgreSQL, sends, and settles in batches; a sender that dies loses nothing, its claims fall due again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import structlog

from apps.core.bus import bus
from apps.core.context import bound, continued
from apps.core.errors import DomainError
from apps.core.queue.work_queue import REFUSED_ROW
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.commands import DisableEndpoint
from apps.webhooks.messages import Message, Outcome
from apps.webhooks.metrics import WEBHOOKS
from apps.webhooks.outbound import GONE, attempt, client
from apps.webhooks.repositories import SendQueue, Settlement

T = TypeVar("T")
log = structlog.get_logger("webhooks")
MAX_IN_FLIGHT = 500
# endpoints that fail may take half of the room, so that there is always some for the others
MAX_FAILING = MAX_IN_FLIGHT // 2
# what this service had no room for comes again soon
POSTPONED_SECONDS = 1.0
GATHER_SECONDS = 0.01
LOOK_SECONDS = 0.25
JITTER = 0.1
LONGEST_RETRY_AFTER = 86_400.0
DISABLE_AFTER_HOURS = 120


class Sender:
    """Sends the due webhook deliveries; `schedule` has the wait after each failed attempt, in seconds."""

    def __init__(self, policy: AddressPolicy, queue: SendQueue, schedule: Sequence[float]) -> None:
        self._policy = policy
        self._queue = queue
        self._schedule = schedule

    def drain(self, seconds: float) -> int:
        """Send until nothing is due and nothing in flight; after `seconds` no more is claimed.

        Returns how many attempts were made.
        """
        return asyncio.run(self._drain(time.monotonic() + seconds))

    async def _drain(self, until: float) -> int:
        attempts = 0
        flying: set[asyncio.Task[Outcome]] = set()
        failing = 0
        # Django's connections belong to a thread, and may not be used in that of an event loop
        with ThreadPoolExecutor(1, "database") as database:
            async with client(self._policy) as http:
                while True:
                    if time.monotonic() < until:
                        room = MAX_IN_FLIGHT - len(flying)
                        messages = await _in(database, partial(self._claim, room, MAX_FAILING - failing))
                        flying |= {asyncio.create_task(attempt(http, message)) for message in messages}
                        failing += sum(message.failing for message in messages)
                    if not flying:
                        break
                    outcomes, flying = await _landed(flying)
                    failing -= sum(outcome.message.failing for outcome in outcomes)
                    attempts += sum(not outcome.postponed for outcome in outcomes)
                    if outcomes:
                        await _in(database, partial(self.settle, outcomes))
            await _in(database, self._queue.disconnect)
        return attempts

    def _claim(self, room: int, failing_room: int) -> list[Message]:
        """Claim messages of healthy endpoints first, then some of those that fail."""
        claimed = self._queue.claim(room, failing=False)
        failing = min(room - len(claimed), failing_room)
        return claimed + self._queue.claim(failing, failing=True)

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Write how the attempts ended, and take endpoints out of service that are gone or have failed for days."""
        if postponed := [outcome.message for outcome in outcomes if outcome.postponed]:
            self._queue.postpone(postponed, POSTPONED_SECONDS)
            log.info("webhooks_postponed", messages=len(postponed), reason="every thread that looks hosts up is taken")
        settlements = [(outcome, self._wait(outcome)) for outcome in outcomes if not outcome.postponed]
        given_up = self._settle(settlements)
        for outcome, wait in settlements:
            _tell(outcome, last=wait is None)
            if outcome.status_code == GONE:
                _disable(outcome.message.endpoint_id, "the endpoint answered 410 Gone")
        for endpoint_id in given_up:
            _disable(endpoint_id, f"every attempt of the last {DISABLE_AFTER_HOURS} hours failed")

    def _settle(self, settlements: list[Settlement]) -> list[int]:
        """Settle all together; if the database refuses one of them, each by itself."""
        if not settlements:
            return []
        try:
            return self._queue.settle(settlements, DISABLE_AFTER_HOURS)
        except REFUSED_ROW as error:
            if len(settlements) > 1:
                return [key for one in settlements for key in self._settle([one])]
            # its lease runs out, and it is tried again
            log.exception("webhook_not_settled", message_id=settlements[0][0].message.message_id, exc_info=error)
            return []

    def _wait(self, outcome: Outcome) -> float | None:
        """Seconds to the next attempt after a failed one; None if there is none."""
        done = outcome.message.attempts
        if outcome.ok or outcome.status_code == GONE or done > len(self._schedule):
            return None
        planned = self._schedule[done - 1] * random.uniform(1 - JITTER, 1 + JITTER)
        return max(planned, min(outcome.retry_after or 0.0, LONGEST_RETRY_AFTER))


async def _landed(flying: set[asyncio.Task[Outcome]]) -> tuple[list[Outcome], set[asyncio.Task[Outcome]]]:
    """Wait until some have ended, and a moment longer for more, so that they are settled together."""
    done, _ = await asyncio.wait(flying, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if done:
        await asyncio.sleep(GATHER_SECONDS)
    done = {task for task in flying if task.done()}
    return [task.result() for task in done], flying - done


def _disable(endpoint_id: int, reason: str) -> None:
    try:
        bus.execute(DisableEndpoint(endpoint_id, reason))
    except (*REFUSED_ROW, DomainError) as error:
        # the next failure asks for it again; the other endpoints' outcomes must not wait for this one
        log.exception("webhook_not_disabled", webhook_id=endpoint_id, exc_info=error)


async def _in(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)


def _tell(outcome: Outcome, *, last: bool) -> None:
    sent = outcome.message
    failed = "dead" if last else "failed"
    WEBHOOKS.labels("delivered" if outcome.ok else failed).observe(outcome.latency_ms / 1000)
    facts: dict[str, Any] = {"webhook_id": sent.endpoint_id, "message_id": sent.message_id, "attempt": sent.attempts}
    with continued(outcome.place or sent.traceparent), bound(sent.request_id):
        if outcome.ok:
            log.info("webhook_delivered", status=outcome.status_code, latency_ms=outcome.latency_ms, **facts)
        else:
            log.warning("webhook_failed", error=outcome.error, latency_ms=outcome.latency_ms, **facts)
