"""Scripts on Valkey with a bounded wait: one round trip, atomic, and never a request that hangs on a frozen cache."""

from __future__ import annotations

import threading
import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

# every script fits in a few milliseconds; waiting longer would cost more than the answer is worth
TIMEOUT_SECONDS = 0.04
PAUSE_SECONDS = 1.0


class Unavailable(Exception):
    """Valkey did not answer in time, or was found away less than a second ago."""


class Valkey:
    """Runs Lua scripts, a connection per thread; after a failure nobody asks again for `pause` seconds."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT_SECONDS, pause: float = PAUSE_SECONDS) -> None:
        self._url = url
        self._timeout = timeout
        self._pause = pause
        self._away_until = 0.0
        self._local = threading.local()
        self._scripts: dict[str, Script] = {}

    def run(self, lua: str, keys: list[str], args: list[str | int]) -> Any:
        """Run the script `lua` and return its answer.

        Raises Unavailable where Valkey cannot be reached or does not answer in time.
        """
        if time.monotonic() < self._away_until:
            raise Unavailable("asked less than a second ago")
        try:
            return self._run(lua, keys, args)
        except redis.TimeoutError as error:
            raise self._away(error) from error
        except redis.ConnectionError:
            # a kept connection fails once after the server was restarted; a new one tells whether it is back
            self._local.client = None
            try:
                return self._run(lua, keys, args)
            except redis.RedisError as error:
                raise self._away(error) from error
        except redis.RedisError as error:
            raise self._away(error) from error

    def _run(self, lua: str, keys: list[str], args: list[str | int]) -> Any:
        client = self._client()
        script = self._scripts.get(lua)
        if script is None:
            script = self._scripts[lua] = client.register_script(lua)
        return script(keys=keys, args=args, client=client)

    def _client(self) -> redis.Redis:
        client: redis.Redis | None = getattr(self._local, "client", None)
        if client is None:
            client = redis.Redis.from_url(
                self._url,
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry=Retry(NoBackoff(), 0),
                single_connection_client=True,
                decode_responses=True,
            )
            self._local.client = client
        return client

    def _away(self, error: Exception) -> Unavailable:
        self._away_until = time.monotonic() + self._pause
        self._local.client = None
        return Unavailable(str(error))
