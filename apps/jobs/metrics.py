"""Jobs that have not ended, for Prometheus; those that have are counted when they do (jobs_finished_total)."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily, Metric

from apps.jobs.models import Job


def unfinished() -> Iterator[Metric]:
    """How many jobs have not ended, by kind and status; one statement over a partial index."""
    jobs = GaugeMetricFamily("jobs", "Background jobs that have not ended", labels=["kind", "status"])
    found = Job.objects.filter(due_at__isnull=False).values_list("kind", "status").annotate(n=Count("id")).order_by()
    for kind, status, number in found:
        jobs.add_metric([kind, status], number)
    yield jobs
