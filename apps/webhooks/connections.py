"""Connections to many endpoints at once.

httpcore's own pool walks through all of its connections at every request; with hundreds in flight that holds up the
event loop until healthy endpoints seem to time out. Here each origin has a shelf of idle connections, and none is
searched.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict, defaultdict, deque
from collections.abc import AsyncIterator
from typing import Any

import httpcore

KEEP_SECONDS = 20.0
KEPT = 500
Connection = httpcore.AsyncHTTPConnection


class Connections(httpcore.AsyncConnectionInterface):
    """Gives each request a connection, and keeps it for the next one to that origin."""

    def __init__(self, ssl_context: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend) -> None:
        self._ssl_context = ssl_context
        self._backend = backend
        self._shelves: dict[str, deque[Connection]] = defaultdict(deque)
        # the one that has been idle for the longest time first
        self._idle: OrderedDict[Connection, deque[Connection]] = OrderedDict()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send `request` and return its answer; closing that puts the connection back. Raises as httpcore does."""
        origin = request.url.origin
        connection = await self._take(origin)
        try:
            answer = await connection.handle_async_request(request)
        except BaseException:
            await connection.aclose()
            raise
        content = Returning(answer.stream, self, connection, origin)
        return httpcore.Response(answer.status, headers=answer.headers, content=content, extensions=answer.extensions)

    async def _take(self, origin: httpcore.Origin) -> Connection:
        shelf = self._shelves[str(origin)]
        while shelf:
            connection = shelf.pop()
            del self._idle[connection]
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin=origin,
            ssl_context=self._ssl_context,
            keepalive_expiry=KEEP_SECONDS,
            network_backend=self._backend,
        )

    async def keep(self, connection: Connection, origin: httpcore.Origin) -> None:
        """Have `connection` at hand for the next request; close the one that has been idle for the longest time."""
        shelf = self._shelves[str(origin)]
        shelf.append(connection)
        self._idle[connection] = shelf
        if len(self._idle) > KEPT:
            oldest, its_shelf = self._idle.popitem(last=False)
            its_shelf.popleft()
            await oldest.aclose()

    async def aclose(self) -> None:
        """Close what is idle."""
        self._shelves.clear()
        while self._idle:
            await self._idle.popitem()[0].aclose()


class Returning:
    """The body of an answer; closing it keeps the connection for the next request, or ends it if more was to come."""

    def __init__(self, stream: Any, connections: Connections, connection: Connection, origin: httpcore.Origin) -> None:
        self._stream = stream
        self._connections = connections
        self._connection = connection
        self._origin = origin

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        """Called once, when the answer is no longer needed."""
        await self._stream.aclose()
        if self._connection.is_idle():
            await self._connections.keep(self._connection, self._origin)
        else:
            await self._connection.aclose()
