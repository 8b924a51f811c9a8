"""What Prometheus is told about people who leave."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.mark.django_db
def test_they_are_a_source_of_their_own(client: Client) -> None:
    assert 'metrics_source_up{source="erasures"} 1.0' in client.get("/metrics").content.decode()
