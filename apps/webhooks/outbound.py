"""One attempt at one webhook: signed, sent to a checked address, ended in time, and read only as far as is needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import httpcore
import httpx
from django.conf import settings

from apps.core.context import Attributes, Span, carried, span, traceparent
from apps.core.http.dates import retry_after
from apps.core.queue.work_queue import storable
from apps.core.resilience.transport import certificates
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
# the rest of an attempt ends with TOTAL_SECONDS
TIMEOUT = {"timeout": {"connect": CONNECT_SECONDS}}
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
async def client(policy: AddressPolicy) -> AsyncIterator[Connections]:
    """What sends webhooks: no proxies, no redirects, no cookies, only checked addresses."""
    connections = Connections(certificates(), CheckedBackend(policy))
    try:
        yield connections
    finally:
        await connections.aclose()


async def attempt(http: Connections, message: Message) -> Outcome:
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


async def _attempt(http: Connections, message: Message) -> Outcome:
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
            f"{type(raised).__name__}: {raised}" if isinstance(raised, httpcore.ConnectError) else type(raised).__name__
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


async def _post(http: Connections, message: Message, at: datetime, secrets: tuple[str, ...], answer: Answer) -> None:
    url, host = _target(message.url)
    headers = {
        "host": host,
        **sign(message.body, message.message_id, at, secrets),
        "accept": "*/*",
        "content-type": "application/json",
        "user-agent": f"{settings.PRODUCT_SLUG}-webhooks/1",
        **carried(),
    }
    content = message.body.encode()
    async with http.stream("POST", url, headers=[*headers.items()], content=content, extensions=TIMEOUT) as response:
        answer.status = response.status
        answer.retry_after = retry_after(_header(response, b"retry-after"))
        async for chunk in response.aiter_stream():
            answer.body += chunk
            if len(answer.body) >= ANSWER_BYTES:
                break


@lru_cache(maxsize=1000)
def _target(url: str) -> tuple[httpcore.URL, str]:
    """Where a request goes and the host that it names, read as `targets` has checked it."""
    parts = httpx.URL(url)
    where = httpcore.URL(scheme=parts.raw_scheme, host=parts.raw_host, port=parts.port, target=parts.raw_path)
    return where, parts.netloc.decode("ascii")


def _header(response: httpcore.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for found, value in response.headers if found.lower() == name), "")
