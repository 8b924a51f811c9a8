"""What a test asks of Valkey."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from django.conf import settings

END = "END-OF-WATCH"


@contextmanager
def round_trips(valkey: redis.Redis) -> Iterator[list[str]]:
    """The commands that reach this test's own Valkey database in the block, as Valkey itself sees them."""
    seen: list[str] = []
    database = valkey.connection_pool.connection_kwargs.get("db", 0)
    with (
        redis.Redis.from_url(settings.ENV.redis_url) as watcher,
        watcher.monitor() as monitor,
    ):

        def watch() -> None:
            for command in monitor.listen():
                if command["db"] == database and command["client_type"] != "lua":
                    if END in command["command"]:
                        return
                    seen.append(command["command"].partition(" ")[0].upper())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield seen
        finally:
            valkey.echo(END)
            thread.join(10)
