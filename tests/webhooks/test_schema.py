"""What the schema promises of webhooks to generators of clients."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.api.components import KEY
from apps.core.api.schema import document
from tests.api_schema.test_document import cursors_of


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """The schemas that have names."""
    found: dict[str, Any] = document()["components"]["schemas"]
    return found


def test_a_text_that_may_be_empty_fits_its_schema(schemas: dict[str, Any]) -> None:
    description = schemas["EndpointBodyRequest"]["properties"]["description"]
    assert description == {"type": "string", "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$", "maxLength": 500}


def test_a_key_is_the_same_integer_as_in_a_path(schemas: dict[str, Any]) -> None:
    for name in ("EndpointAnswer", "DeliveryAnswer"):
        assert schemas[name]["properties"]["id"] == KEY, name
    assert schemas["DeliveryAnswer"]["properties"]["event_id"] == KEY | {"type": ["integer", "null"]}


def test_cursors_say_what_they_are(schemas: dict[str, Any]) -> None:
    for name in ("EndpointPage", "DeliveryPage"):
        cursors_of(schemas[name])
