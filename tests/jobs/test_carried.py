"""The client's traceparent goes with the job, also if nobody traces."""

from __future__ import annotations

import pytest

from apps.core.bus import bus
from apps.core.context import continued
from apps.jobs.commands import SubmitJob
from apps.jobs.models import Job
from tests.traces.test_carried import SAMPLED


@pytest.mark.django_db
def test_a_job_keeps_it() -> None:
    with continued(SAMPLED):
        job_id = bus.execute(SubmitJob("process", None, {"rows": []}))
    assert Job.objects.get(id=job_id).traceparent == SAMPLED
