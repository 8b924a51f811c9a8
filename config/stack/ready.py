"""Whether the processes that `make run` starts do their work: questions to ask often, which never raise."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

from redis import RedisError

from apps.core.resilience.valkey import patient_client
from apps.core.telemetry.heartbeats import served
from config.product import SLUG
from config.stack.plan import QUEUES

WORKERS_PROBE_SECONDS = 0.5
PROBE_TIMEOUT = 3.0
# whatever proxies the environment names
DIRECT = build_opener(ProxyHandler({}))


def web_answers(url: str) -> bool:
    """Whether the web server at `url` answers."""
    try:
        # not httpx: it would be half of the start of this process, and a third of its memory
        with DIRECT.open(f"{url}/healthz", timeout=PROBE_TIMEOUT) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, HTTPException):
        return False


def workers_ready(addresses: Mapping[str, str]) -> Callable[[], bool]:
    """A question to ask often: do workers that have started since now take from every queue?"""
    begun, asked = int(time.time()), 0.0
    valkey = patient_client(addresses["REDIS_URL"], PROBE_TIMEOUT)

    def ready() -> bool:
        nonlocal asked
        if time.monotonic() - asked < WORKERS_PROBE_SECONDS:
            return False
        asked = time.monotonic()
        try:
            return all(served(valkey, f"{SLUG}:", QUEUES, since=begun).values())
        except RedisError:
            return False

    return ready
