"""What Prometheus is told about jobs."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.mark.django_db
def test_they_are_a_source_of_their_own(client: Client) -> None:
    assert 'metrics_source_up{source="jobs"} 1.0' in client.get("/metrics").content.decode()
