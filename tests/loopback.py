"""HTTP to servers on loopback, without what httpx does by default for servers elsewhere.

It reads every certificate authority for each new client, which costs 30 ms of CPU time: much, if one asks again and
again whether a server is up. And it would ask proxies that the environment names.
"""

from __future__ import annotations

from typing import Any

import httpx

OPTIONS: dict[str, Any] = {"trust_env": False, "verify": False}


def get(url: str, **more: Any) -> httpx.Response:
    """The answer to a GET, on a connection of its own; raises as httpx.get."""
    return httpx.get(url, **OPTIONS, **more)


def answers(url: str, *, timeout: float = 2) -> bool:
    """Whether a GET is answered with 200 within `timeout` seconds."""
    try:
        return get(url, timeout=timeout).status_code == 200
    except httpx.HTTPError:
        return False


def post(url: str, **more: Any) -> httpx.Response:
    """The answer to a POST, on a connection of its own; raises as httpx.post."""
    return httpx.post(url, **OPTIONS, **more)


def client(**more: Any) -> httpx.Client:
    """A client that keeps its connections."""
    return httpx.Client(**OPTIONS, **more)
