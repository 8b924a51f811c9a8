"""httpx with a total deadline: an answer that drips in byte by byte still ends in time.

httpx's own time-outs hold for each read alone, so a slow server can stretch a call without end. Here each network
step gets what is left of the deadline of the surrounding block.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpcore
import httpx

from apps.core.resilience.deadline import DeadlineExceeded, remaining


def left(timeout: float | None) -> float | None:
    """Seconds for one network step, at most `timeout`. Raises httpcore.ReadTimeout if none are left."""
    try:
        return remaining(timeout)
    except DeadlineExceeded as error:
        raise httpcore.ReadTimeout(str(error)) from error


def use_pool(transport: httpx.BaseTransport, pool: Any) -> None:
    """Let `transport` take its connections from `pool`.

    httpx has no parameter for the pool or its network backend, so this sets a private attribute; checked with 0.28.1.
    """
    if not hasattr(transport, "_pool"):
        raise RuntimeError("this version of httpx keeps its connections elsewhere; see use_pool")
    transport._pool = pool


class DeadlineStream(httpcore.NetworkStream):
    """A socket whose every step ends at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.SyncBackend):
    """Opens sockets that honour the deadline."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return DeadlineStream(super().connect_tcp(host, port, left(timeout), local_address, socket_options))


@cache
def certificates() -> ssl.SSLContext:
    """Which certificates are believed: those of httpx, read once for all clients of a process, since it takes 30 ms."""
    return httpx.create_ssl_context(trust_env=False)


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's own transport over `backend`; neither proxies nor redirects nor the environment change where it goes."""

    def __init__(self, backend: httpcore.NetworkBackend | None = None, *, max_connections: int = 20) -> None:
        super().__init__(verify=certificates(), trust_env=False)
        pool = httpcore.ConnectionPool(
            ssl_context=certificates(),
            max_connections=max_connections,
            keepalive_expiry=20,
            network_backend=backend or DeadlineBackend(),
        )
        use_pool(self, pool)
