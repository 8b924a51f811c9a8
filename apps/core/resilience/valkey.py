"""Scripts on Valkey with a bounded wait: one round trip, atomic, and never a request that hangs on a frozen cache."""

from __future__ import annotations

import hashlib
import time
from functools import cache
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

# every script fits in a few milliseconds; waiting longer would cost more than the answer is worth
TIMEOUT_SECONDS = 0.04
PAUSE_SECONDS = 1.0


class Unavailable(Exception):
    """Valkey did not answer in time, now or less than a second ago."""


@cache
def valkey_at(url: str, prefix: str) -> Valkey:
    """This process's Valkey at `url`, which all its parts share; every key begins with `prefix`."""
    return Valkey(url, prefix=prefix)


def patient_client(url: str, seconds: float) -> redis.Redis:
    """A plain client for health and metrics, which may wait `seconds` to connect and for each answer."""
    timeouts: Any = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    return redis.Redis.from_url(url, **timeouts)


class Valkey:
    """Runs Lua scripts, one connection for each call that runs; after a failure it asks nothing for `pause` seconds.

    `prefix` is put before every key, so that services that share a Valkey do not meet.
    """

    def __init__(
        self, url: str, *, timeout: float = TIMEOUT_SECONDS, pause: float = PAUSE_SECONDS, prefix: str = ""
    ) -> None:
        self._prefix = prefix
        self._pause = pause
        self._away_until = 0.0
        # makes connections from the URL; they are kept here, since its own way to lend one costs more than the answer
        self._pool = redis.ConnectionPool.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            # would cost each connection one more question, about failovers of managed clusters
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self._idle: list[Any] = []

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
        connection = self._take()
        try:
            answer = _evaluated(connection, lua, [len(keys), *(self._prefix + key for key in keys), *args])
        except BaseException:
            # a late answer must not be taken for that of the next call
            connection.disconnect()
            raise
        self._idle.append(connection)
        return answer

    def _take(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return self._pool.make_connection()

    def _away(self, error: Exception) -> Unavailable:
        self._away_until = time.monotonic() + self._pause
        self._forget()
        return Unavailable(str(error))

    def _forget(self) -> None:
        while self._idle:
            try:
                self._idle.pop().disconnect()
            except IndexError:
                return


def _evaluated(connection: Any, lua: str, rest: list[str | int]) -> Any:
    """The answer of the script `lua`, named by its digest; its text is sent only to a server that does not have it."""
    try:
        connection.send_packed_command([packed("EVALSHA", _digest(lua), *rest)])
        return connection.read_response()
    except redis.exceptions.NoScriptError:
        connection.send_packed_command([packed("EVAL", lua, *rest)])
        return connection.read_response()


@cache
def _digest(lua: str) -> str:
    return hashlib.sha1(lua.encode(), usedforsecurity=False).hexdigest()


def packed(*words: str | int) -> bytes:
    """A command as it is sent, an array of strings. Source: https://valkey.io/topics/protocol/."""
    texts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(texts) + b"".join([b"$%d\r\n%b\r\n" % (len(text), text) for text in texts])
