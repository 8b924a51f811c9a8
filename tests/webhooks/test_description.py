"""What the documentation of events says of webhooks."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient


@pytest.mark.django_db
def test_the_page_shows_what_a_message_is_signed_with(anyone: APIClient) -> None:
    assert "<code>webhook-signature</code>" in anyone.get("/api/docs/events").content.decode()
