"""Bodies and answers of the webhooks' routes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.webhooks.models import URL_LENGTH, DeliveryState


class EndpointBody(serializers.Serializer[Any]):
    """The body of POST /webhooks; no event types means all."""

    url = serializers.CharField(max_length=URL_LENGTH)
    event_types = serializers.ListField(child=serializers.CharField(max_length=100), required=False, max_length=50)
    description = serializers.CharField(required=False, allow_blank=True, max_length=500)
    is_active = serializers.BooleanField(required=False)


class EndpointChanges(EndpointBody):
    """The body of PATCH /webhooks/{id}."""

    url = serializers.CharField(max_length=URL_LENGTH, required=False)


class EndpointAnswer(serializers.Serializer[Any]):
    """An endpoint; `disabled_reason` says why the service switched it off, if it did."""

    id = serializers.IntegerField()
    url = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    is_active = serializers.BooleanField()
    disabled_reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class EndpointWithSecret(EndpointAnswer):
    """An endpoint with its signing secret, which is shown this once."""

    secret = serializers.CharField()


class EndpointPage(serializers.Serializer[Any]):
    """A page of endpoints, newest first."""

    results = EndpointAnswer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class AttemptAnswer(serializers.Serializer[Any]):
    """One attempt; `status_code` is null where nothing was answered."""

    at = serializers.DateTimeField()
    status_code = serializers.IntegerField(allow_null=True)
    latency_ms = serializers.IntegerField()
    error = serializers.CharField(allow_null=True)


class DeliveryAnswer(serializers.Serializer[Any]):
    """One message to an endpoint; `event_id` is null for a test message."""

    id = serializers.IntegerField()
    event_id = serializers.IntegerField(allow_null=True)
    event_type = serializers.CharField()
    status = serializers.ChoiceField(choices=DeliveryState.choices)
    attempts = AttemptAnswer(many=True)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    payload = serializers.DictField()


class DeliveryPage(serializers.Serializer[Any]):
    """A page of deliveries, newest first."""

    results = DeliveryAnswer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class DeliveryAccepted(serializers.Serializer[Any]):
    """A delivery that will be tried at once."""

    delivery_id = serializers.IntegerField()
