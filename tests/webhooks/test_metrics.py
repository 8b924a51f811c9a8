"""What webhooks show to Prometheus."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.config.test_start import run


def test_the_page_of_metrics_has_webhooks_before_the_first_is_sent() -> None:
    found = "REGISTRY.get_sample_value('webhook_seconds_count', {'outcome': 'dead'})"
    run(f"import django; django.setup(); from prometheus_client import REGISTRY; assert {found} == 0")


@pytest.mark.django_db
def test_they_are_a_source_of_their_own(client: Client) -> None:
    assert 'metrics_source_up{source="webhooks"} 1.0' in client.get("/metrics").content.decode()
