"""Metrics that are looked up when Prometheus asks: about the database and Valkey, the same from every process.

Each source has a bounded time to answer; one that does not is left out, and `metrics_source_up` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from django.db import connection, transaction
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.core.resilience.bounded import Bounded

Source = Callable[[], Iterable[Metric]]
SECONDS = 2.0
STATEMENT_SECONDS = 1.0
DATABASE, VALKEY = "database", "valkey"
LONGEST_TRANSACTION = """
    SELECT coalesce(extract(epoch FROM now() - min(xact_start)), 0)::float8 FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""


class StateCollector(Collector):
    """Sources by name; those of one part, database or Valkey, are asked one after the other."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._sources: dict[str, dict[str, Source]] = {DATABASE: {}, VALKEY: {}}
        self._bounded: Bounded[dict[str, list[Metric] | None]] = Bounded(seconds)

    def add(self, part: str, name: str, source: Source) -> None:
        """Ask `source` at each scrape; `part` is what it depends on."""
        self._sources[part][name] = source

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask anybody."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask every source; one that fails or is late is left out."""
        up = GaugeMetricFamily("metrics_source_up", "Whether a source of metrics answered in time", labels=["source"])
        questions = {part: partial(_ask, part, sources) for part, sources in self._sources.items()}
        answers = self._bounded.ask(questions)
        for part, sources in self._sources.items():
            answer = answers[part]
            for name in sources:
                found = None if isinstance(answer, Exception) else answer.get(name)
                up.add_metric([name], found is not None)
                yield from found or []
        yield up


def _ask(part: str, sources: dict[str, Source]) -> dict[str, list[Metric] | None]:
    try:
        return {name: _found(part, source) for name, source in sources.items()}
    finally:
        connection.close()


def _found(part: str, source: Source) -> list[Metric] | None:
    try:
        if part != DATABASE:
            return list(source())
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{STATEMENT_SECONDS:g}s"])
            return list(source())
    except Exception:  # one that fails must not hide the others
        return None


def longest_transaction() -> Iterator[Metric]:
    """The age of the oldest transaction that is open on this database, as far as our own database role may see."""
    with connection.cursor() as cursor:
        cursor.execute(LONGEST_TRANSACTION)
        (seconds,) = cursor.fetchone()
    yield GaugeMetricFamily("database_longest_transaction_seconds", "Age of the oldest open transaction", seconds)


STATE = StateCollector()
STATE.add(DATABASE, "transactions", longest_transaction)
STATE_REGISTRY = CollectorRegistry()
STATE_REGISTRY.register(STATE)
