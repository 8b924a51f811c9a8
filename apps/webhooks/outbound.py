"""One attempt at one webhook: signed, sent to a checked address, ended in time, and read only as far as is needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpcore
import httpx
from django.conf import settings

from apps.core.context import Attributes, Span, carried, span, traceparent
from apps.core.http.dates import retry_after
from apps.core.queue.work_queue import storable
from apps.core.resilience.transport import use_pool
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.connections import Connections
from apps.webhooks.messages import Message, Outcome
from apps.webhooks.names import Busy
from apps.webhooks.secrets import sign

# Standard Webhooks: an endpoint has 15 s for the whole of its answer
TOTAL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
ANSWER_BYTES = 4096
KEPT_CHARACTERS = 500
GONE = 410
UNREADABLE = "the signing secret cannot be read: rotate it"


class CheckedBackend(httpcore.AnyIOBackend):
    """Dials only addresses that the policy allows, and exactly the one that it has checked."""

    def __init__(self, policy: AddressPolicy) -> None:
        super().__init__()
        self._policy = policy

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            address = await self._policy.dialable(host)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return await super().connect_tcp(address, port, timeout, local_address, socket_options)


@asynccontextmanager
async def client(policy: AddressPolicy) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client for webhooks: no proxies, no redirects, no cookies, only checked addresses."""
    transport = httpx.AsyncHTTPTransport(trust_env=False)
    use_pool(transport, Connections(httpx.create_ssl_context(trust_env=False), CheckedBackend(policy)))
    timeout = httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS, pool=None)
    async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as made:
        yield made


async def attempt(http: httpx.AsyncClient, message: Message) -> Outcome:
    """Send `message` once; every way to fail is an Outcome."""
    facts: Attributes = {"app.webhook_id": message.endpoint_id, "app.attempt": message.attempts}
    with span("POST webhook", "client", facts, parents=(message.traceparent,)) as traced:
        outcome = replace(await _attempt(http, message), place=traceparent())
        _tell(traced, outcome)
    return outcome


def _tell(traced: Span, outcome: Outcome) -> None:
    if outcome.status_code is not None:
        traced.note({"http.response.status_code": outcome.status_code})
    if outcome.postponed:
        traced.note({"app.postponed": True})
    elif outcome.error:
        # the reason may quote an address: it stands with the delivery
        traced.fail("refused" if outcome.status_code else "unreachable")


async def _attempt(http: httpx.AsyncClient, message: Message) -> Outcome:
    at, start = datetime.now(UTC), time.monotonic()
    if message.secrets is None:
        return Outcome(message, at, 0, error=UNREADABLE, sent=False)
    answer = Answer()
    error = ""
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            await _post(http, message, at, message.secrets, answer)
    except Busy:
        return Outcome(message, at, 0, sent=False, postponed=True)
    except TimeoutError:
        error = f"no complete answer within {TOTAL_SECONDS:.0f} s"
    except Exception as raised:  # one bad address must not end the drain for everybody
        error = (
            f"{type(raised).__name__}: {raised}" if isinstance(raised, httpx.ConnectError) else type(raised).__name__
        )
    if not error and not 200 <= (answer.status or 0) < 300:
        error = f"answered {answer.status}"
    latency_ms = round((time.monotonic() - start) * 1000)
    return Outcome(message, at, latency_ms, answer.status, storable(error), answer.kept, answer.retry_after)


@dataclass
class Answer:
    """What has come back from the endpoint so far."""

    status: int | None = None
    body: bytes = b""
    retry_after: float | None = None

    @property
    def kept(self) -> str:
        """The beginning of the body, as a text that can be stored."""
        return storable(self.body[:KEPT_CHARACTERS].decode("utf-8", "replace"))


async def _post(
    http: httpx.AsyncClient, message: Message, at: datetime, secrets: tuple[str, ...], answer: Answer
) -> None:
    headers = {
        **sign(message.body, message.message_id, at, secrets),
        "content-type": "application/json",
        "user-agent": f"{settings.PRODUCT_SLUG}-webhooks/1",
        **carried(),
    }
    async with http.stream("POST", message.url, content=message.body.encode(), headers=headers) as response:
        answer.status = response.status_code
        answer.retry_after = retry_after(response.headers.get("Retry-After", ""))
        async for chunk in response.aiter_raw():
            answer.body += chunk
            if len(answer.body) >= ANSWER_BYTES:
                break
