"""Bodies and answers of the webhooks' routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.components import ANY_OBJECT, Id, Page, example
from apps.core.api.fields import Body, Flag, Text
from apps.core.bus import bus
from apps.core.errors import FieldProblem, Invalid, together
from apps.core.queue.work_queue import DeliveryState
from apps.events.api.components import EVENT_TYPE
from apps.webhooks.commands import CheckEndpoint
from apps.webhooks.models import URL_LENGTH
from apps.webhooks.rules import check_description, check_event_types

DESCRIPTION_LENGTH = 500
LABEL = "[A-Za-z0-9](-?[A-Za-z0-9]){0,62}"
PORT = (
    "(80|443|102[4-9]|10[3-9][0-9]|1[1-9][0-9]{2}|[2-9][0-9]{3}"
    "|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
REST = "([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"

ENDPOINT = {
    "id": 3,
    "url": "https://example.com/hooks",
    "event_types": ["user.created"],
    "description": "CRM",
    "is_active": True,
    "disabled_reason": "",
    "created_at": "2026-11-24T09:00:00Z",
    "updated_at": "2026-11-24T09:00:00Z",
}
DELIVERY = {
    "id": 12,
    "event_id": 41,
    "event_type": "user.created",
    "status": "failed",
    "attempts": [{"at": "2026-11-24T09:00:01Z", "status_code": 503, "latency_ms": 87, "error": "HTTP 503"}],
    "next_attempt_at": "2026-11-24T09:00:06Z",
    "payload": {"type": "user.created", "timestamp": "2026-11-24T09:00:00Z", "data": {"user_id": 7}},
}


@extend_schema_field(
    {
        "type": "string",
        "format": "uri",
        "maxLength": URL_LENGTH,
        "pattern": rf"^https?://{LABEL}(\.{LABEL})*(:{PORT})?([/?]{REST}*)?$",
        "description": "Leads to the public internet; names with other letters than these as punycode (RFC 3492).",
        "example": "https://example.com/hooks",
    }
)
class TargetUrl(Text):
    """Where to send to; apps/webhooks/addresses.py decides."""


@extend_schema_field(
    {"type": "string", "maxLength": DESCRIPTION_LENGTH, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"}
)
class Description(Text):
    """A text of one line; the service decides."""


@extend_schema_field(EVENT_TYPE)
class EventType(Text):
    """The type of an event; the service checks that it exists."""


@example({"url": "https://example.com/hooks", "event_types": ["user.created"], "description": "CRM"})
class EndpointBody(Body):
    """The body of POST /webhooks; no event types means all."""

    url = TargetUrl(max_length=URL_LENGTH, trim_whitespace=False)
    event_types = serializers.ListField(child=EventType(), required=False, max_length=50)
    description = Description(required=False, allow_blank=True, max_length=DESCRIPTION_LENGTH, trim_whitespace=False)
    is_active = Flag(required=False)

    def rules(self, values: Mapping[str, Any]) -> list[FieldProblem]:
        """What the service has against the URL, the types and the description."""
        checks: dict[str, Callable[[Any], object]] = {
            "url": lambda url: bus.execute(CheckEndpoint(url)),
            "event_types": check_event_types,
            "description": check_description,
        }
        try:
            together(*(partial(check, values[name]) for name, check in checks.items() if name in values))
        except Invalid as error:
            return error.problems
        return []


@example({"is_active": False})
class EndpointChanges(EndpointBody):
    """The body of PATCH /webhooks/{id}."""

    url = TargetUrl(max_length=URL_LENGTH, trim_whitespace=False, required=False)


@example(ENDPOINT)
class EndpointAnswer(serializers.Serializer[Any]):
    """An endpoint; `disabled_reason` says why the service switched it off, if it did."""

    id = Id()
    url = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    is_active = serializers.BooleanField()
    disabled_reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


@example(ENDPOINT | {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
class EndpointWithSecret(EndpointAnswer):
    """An endpoint with its signing secret, which is shown this once."""

    secret = serializers.CharField()


@example({"results": [ENDPOINT], "next": None, "previous": None})
class EndpointPage(Page):
    """A page of endpoints, newest first."""

    results = EndpointAnswer(many=True)


class AttemptAnswer(serializers.Serializer[Any]):
    """One attempt; `status_code` is null if there was no answer."""

    at = serializers.DateTimeField()
    status_code = serializers.IntegerField(allow_null=True)
    latency_ms = serializers.IntegerField()
    error = serializers.CharField(allow_null=True)


@extend_schema_field(ANY_OBJECT | {"description": "The body that is sent: `type`, `timestamp` and `data`."})
class Payload(serializers.DictField):
    """What is sent to an endpoint."""


@example(DELIVERY)
class DeliveryAnswer(serializers.Serializer[Any]):
    """One message to an endpoint; `event_id` is null for a test message."""

    id = Id()
    event_id = Id(allow_null=True)
    event_type = serializers.CharField()
    status = serializers.ChoiceField(choices=DeliveryState.choices)
    attempts = AttemptAnswer(many=True)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    payload = Payload()


@example({"results": [DELIVERY], "next": None, "previous": None})
class DeliveryPage(Page):
    """A page of deliveries, newest first."""

    results = DeliveryAnswer(many=True)


@example({"delivery_id": 12})
class DeliveryAccepted(serializers.Serializer[Any]):
    """A delivery that will be tried at once."""

    delivery_id = Id()
