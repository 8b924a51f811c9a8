"""What a statement costs: the pages that it reads, since a time says nothing on a shared machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.queue.work_queue import TASKS, look


def statements(act: Callable[[], Any], about: str = "events_") -> list[str]:
    """What `act` asks of the tables whose names begin with `about`, by default of the outbox."""
    with CaptureQueriesContext(connection) as seen:
        act()
    return [query["sql"] for query in seen.captured_queries if about in query["sql"]]


def pages(statement: str) -> int:
    """How many pages it reads."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement)
        plan = cursor.fetchone()[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def look_of(name: str) -> Callable[[], Any]:
    """The relay's look at what is due for a task."""
    return partial(look, [TASKS[name]])
