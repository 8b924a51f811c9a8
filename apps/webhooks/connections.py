"""Connections to many endpoints at once.

httpcore's own pool walks through all of its connections at every request; with hundreds in flight that holds up the
event loop until healthy endpoints seem to time out. Here each origin has a shelf of idle connections, and none is
searched.
"""

from __future__ import annotations

import ssl
from collections import defaultdict
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

import httpcore

KEEP_SECONDS = 20.0
KEPT_PER_ORIGIN = 25
Shelf = list[httpcore.AsyncHTTPConnection]


class Connections:
    """What httpx's transport needs of a pool: a connection for each request, kept for the next one to that origin."""

    def __init__(self, ssl_context: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend) -> None:
        self._ssl_context = ssl_context
        self._backend = backend
        self._shelves: dict[str, Shelf] = defaultdict(list)

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send `request` and return its answer; closing that puts the connection back. Raises as httpcore does."""
        shelf = self._shelves[str(request.url.origin)]
        connection = await self._take(shelf, request.url.origin)
        try:
            answer = await connection.handle_async_request(request)
        except BaseException:
            await connection.aclose()
            raise
        content = Returning(answer.stream, connection, shelf)
        return httpcore.Response(
            status=answer.status, headers=answer.headers, content=content, extensions=answer.extensions
        )

    async def _take(self, shelf: Shelf, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        while shelf:
            connection = shelf.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin=origin,
            ssl_context=self._ssl_context,
            keepalive_expiry=KEEP_SECONDS,
            network_backend=self._backend,
        )

    async def aclose(self) -> None:
        """Close what is idle."""
        for shelf in self._shelves.values():
            while shelf:
                await shelf.pop().aclose()

    async def __aenter__(self) -> Connections:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()


class Returning:
    """The body of an answer; closing it puts the connection on its shelf, or ends it if more was to come."""

    def __init__(self, stream: Any, connection: httpcore.AsyncHTTPConnection, shelf: Shelf) -> None:
        self._stream = stream
        self._connection = connection
        self._shelf = shelf

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        """Keep or close the connection; called once, when the answer is no longer needed."""
        await self._stream.aclose()
        if self._connection.is_idle() and len(self._shelf) < KEPT_PER_ORIGIN:
            self._shelf.append(self._connection)
        else:
            await self._connection.aclose()
