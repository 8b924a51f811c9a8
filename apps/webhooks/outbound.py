"""One attempt at one webhook: signed, sent to a checked address, ended in time, and read only as far as is needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpcore
import httpx

from apps.core.http.dates import retry_after
from apps.core.resilience.transport import use_pool
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.connections import Connections
from apps.webhooks.secrets import sign

# Standard Webhooks: a receiver has 15 s for the whole of its answer
TOTAL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
ANSWER_BYTES = 4096
KEPT_CHARACTERS = 500
GONE = 410
RESOLVER_THREADS = 32


@dataclass(frozen=True)
class Message:
    """A claimed delivery, ready to be sent; `secrets` sign it, the newest first."""

    id: int
    token: UUID
    endpoint_id: int
    failing: bool
    attempts: int
    message_id: str
    event_type: str
    body: str
    request_id: str
    url: str
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended; `retry_after` in seconds, where the receiver asked for it."""

    message: Message
    at: datetime
    latency_ms: int
    status_code: int | None = None
    error: str = ""
    answer: str = ""
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """2xx, in time."""
        return not self.error

    def entry(self) -> dict[str, Any]:
        """The attempt's entry in the delivery's log."""
        return {
            "at": self.at.isoformat(),
            "status_code": self.status_code,
            "latency_ms": self.latency_ms,
            "error": self.error or None,
            "answer": self.answer,
        }


class CheckedBackend(httpcore.AnyIOBackend):
    """Dials only addresses that the policy allows, and the very one that it has checked."""

    def __init__(self, policy: AddressPolicy, resolvers: ThreadPoolExecutor) -> None:
        super().__init__()
        self._policy = policy
        self._resolvers = resolvers

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            address = await loop.run_in_executor(self._resolvers, self._policy.dialable, host)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        return await super().connect_tcp(address, port, timeout, local_address, socket_options)


@asynccontextmanager
async def client(policy: AddressPolicy) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client for webhooks: no proxies, no redirects, no cookies, only checked addresses."""
    with ThreadPoolExecutor(RESOLVER_THREADS, "resolve") as resolvers:
        transport = httpx.AsyncHTTPTransport(trust_env=False)
        use_pool(transport, Connections(httpx.create_ssl_context(trust_env=False), CheckedBackend(policy, resolvers)))
        timeout = httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS, pool=None)
        async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as made:
            yield made


async def attempt(http: httpx.AsyncClient, message: Message) -> Outcome:
    """Send `message` once; every way to fail is an Outcome."""
    at, start = datetime.now(UTC), time.monotonic()
    headers = {
        **sign(message.body, message.message_id, at, message.secrets),
        "content-type": "application/json",
        "user-agent": "patterns-webhooks/1",
    }
    status, answer, error, wait = None, b"", "", None
    try:
        async with (
            asyncio.timeout(TOTAL_SECONDS),
            http.stream("POST", message.url, content=message.body.encode(), headers=headers) as response,
        ):
            status = response.status_code
            wait = retry_after(response.headers.get("Retry-After", ""))
            async for chunk in response.aiter_raw():
                answer += chunk
                if len(answer) >= ANSWER_BYTES:
                    break
    except TimeoutError:
        error = f"no complete answer within {TOTAL_SECONDS:.0f} s"
    except Exception as raised:  # one bad address must not end the drain for everybody
        error = (
            f"{type(raised).__name__}: {raised}" if isinstance(raised, httpx.ConnectError) else type(raised).__name__
        )
    if not error and not 200 <= (status or 0) < 300:
        error = f"answered {status}"
    latency_ms = round((time.monotonic() - start) * 1000)
    kept = answer[:KEPT_CHARACTERS].decode("utf-8", "replace").replace("\0", "")
    return Outcome(message, at, latency_ms, status, error, kept, wait)
