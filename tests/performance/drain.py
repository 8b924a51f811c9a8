"""A webhook sender in a process of its own: python -m tests.performance.drain URL ENDPOINTS WEBHOOKS.

Queues WEBHOOKS messages for ENDPOINTS endpoints at URL, sends them as a worker would, and prints the cost as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time

import django
import psutil

QUEUE = """
    INSERT INTO webhooks_webhookdelivery
        (endpoint_id, message_id, event_id, event_type, body, request_id, state, log, attempts, last_error)
    SELECT (%s::bigint[])[1 + i %% %s], 'evt_' || i, i, 'user.created',
        json_build_object('type', 'user.created', 'timestamp', now(), 'data',
            json_build_object('user_id', i, 'email', 'user' || i || '@example.com', 'name', 'User Number ' || i))::text,
        md5(i::text), 'pending', '[]', 0, ''
    FROM generate_series(1, %s) i"""
LONG_ENOUGH = 600.0


def queue(url: str, endpoints: int, count: int) -> None:
    """Make the endpoints and the messages to send to them."""
    from django.db import connection

    from apps.core.bus import bus
    from apps.webhooks.commands import RegisterEndpoint

    made = [bus.execute(RegisterEndpoint(f"{url}/{number}")) for number in range(endpoints)]
    with connection.cursor() as cursor:
        cursor.execute(QUEUE, [[endpoint.id for endpoint in made], endpoints, count])


def main() -> None:
    """Queue, send, report."""
    url, endpoints, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    django.setup()
    from apps.core.bus import bus
    from apps.webhooks.commands import SendDue

    queue(url, endpoints, count)
    process = psutil.Process(os.getpid())
    before, cpu, start = process.memory_info().rss, time.process_time(), time.monotonic()
    attempts = bus.execute(SendDue(LONG_ENOUGH))
    taken = {"seconds": time.monotonic() - start, "cpu": time.process_time() - cpu, "attempts": attempts}
    after = process.memory_info().rss
    sys.stdout.write(json.dumps(taken | {"rss_before": before, "rss_after": after}) + "\n")


if __name__ == "__main__":
    main()
