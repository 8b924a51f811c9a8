"""Scripts on Valkey with a bounded wait: one round trip, atomic, and never a request that hangs on a frozen cache."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

# every script fits in a few milliseconds; waiting longer would cost more than the answer is worth
TIMEOUT_SECONDS = 0.04
PAUSE_SECONDS = 1.0


class Unavailable(Exception):
    """Valkey did not answer in time, now or less than a second ago."""


@cache
def valkey_at(url: str) -> Valkey:
    """This process's Valkey at `url`, which all its parts share."""
    return Valkey(url)


def patient_client(url: str, seconds: float) -> redis.Redis:
    """A plain client for health and metrics, which may wait `seconds` to connect and for each answer."""
    timeouts: Any = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    return redis.Redis.from_url(url, **timeouts)


class Valkey:
    """Runs Lua scripts, one connection for each call that runs; after a failure it asks nothing for `pause` seconds."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT_SECONDS, pause: float = PAUSE_SECONDS) -> None:
        self._url = url
        self._timeout = timeout
        self._pause = pause
        self._away_until = 0.0
        self._idle: list[redis.Redis] = []
        self._scripts: dict[str, Script] = {}

    def run(self, lua: str, keys: list[str], args: list[str | int]) -> Any:
        """Run the script `lua` and return its answer.

        Raises Unavailable if Valkey cannot be reached or does not answer in time.
        """
        if time.monotonic() < self._away_until:
            raise Unavailable("asked less than a second ago")
        try:
            return self._run(lua, keys, args)
        except redis.TimeoutError as error:
            raise self._away(error) from error
        except redis.ConnectionError:
            # kept connections fail once after the server was restarted; a new one tells whether it is back
            self._forget()
            try:
                return self._run(lua, keys, args)
            except redis.RedisError as error:
                raise self._away(error) from error
        except redis.RedisError as error:
            raise self._away(error) from error

    def _run(self, lua: str, keys: list[str], args: list[str | int]) -> Any:
        client = self._take()
        try:
            script = self._scripts.get(lua)
            if script is None:
                script = self._scripts[lua] = client.register_script(lua)
            answer = script(keys=keys, args=args, client=client)
        except BaseException:
            # a late answer must not be taken for that of the next call
            client.close()
            raise
        self._idle.append(client)
        return answer

    def _take(self) -> redis.Redis:
        try:
            return self._idle.pop()
        except IndexError:
            return redis.Redis.from_url(
                self._url,
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry=Retry(NoBackoff(), 0),
                single_connection_client=True,
                decode_responses=True,
                # would cost each connection one more question, about failovers of managed clusters
                maint_notifications_config=MaintNotificationsConfig(enabled=False),
            )

    def _away(self, error: Exception) -> Unavailable:
        self._away_until = time.monotonic() + self._pause
        self._forget()
        return Unavailable(str(error))

    def _forget(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:
                return
