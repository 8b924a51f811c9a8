"""People who are being erased, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric

OLDEST = "SELECT coalesce(extract(epoch FROM statement_timestamp() - min(begun_at)), 0)::float8 FROM users_erasure"


def erasing() -> Iterator[Metric]:
    """How long the oldest erasure has been under way; one statement over a table of minutes."""
    with connection.cursor() as cursor:
        cursor.execute(OLDEST)
        (seconds,) = cursor.fetchone()
    yield GaugeMetricFamily("erasure_oldest_seconds", "Age of the oldest erasure of a person", value=seconds)
