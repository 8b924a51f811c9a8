"""The webhooks' routes, for staff."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.core.api.components import PAGE, documented
from apps.core.api.pagination import paged
from apps.core.api.views import ApiView, IsStaff, member, run_once
from apps.core.http.renderers import json_answer
from apps.webhooks.api.serializers import (
    AttemptAnswer,
    DeliveryAccepted,
    DeliveryPage,
    EndpointAnswer,
    EndpointBody,
    EndpointChanges,
    EndpointPage,
    EndpointWithSecret,
)
from apps.webhooks.commands import (
    DeleteEndpoint,
    EndpointSnapshot,
    LookUpHost,
    RegisterEndpoint,
    RetryDelivery,
    RotateSecret,
    SendTest,
    UpdateEndpoint,
)
from apps.webhooks.queries import GetEndpoint, ListDeliveries, ListEndpoints, Row, attempts_of, payload_of

NO_STORE = {"Cache-Control": "no-store"}
FIELDS = tuple(EndpointAnswer().fields)
ATTEMPT_FIELDS = tuple(AttemptAnswer().fields)


class StaffView(ApiView):
    """Staff only."""

    permission_classes: tuple[type[BasePermission], ...] = (IsStaff,)


class TargetView(StaffView):
    """Takes the URL of a webhook. Its host is looked up here, before an Idempotency-Key opens a transaction."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in ("POST", "PATCH") and request.method in self.allowed_methods:
            body = self.body(request)
            url = body.get("url") if isinstance(body, dict) else None
            if isinstance(url, str):
                self.bus.execute(LookUpHost(url))


class EndpointList(TargetView):
    """Endpoints: make one, list them."""

    problems: ClassVar = {"post": (403,), "get": (400, 403)}
    answers: ClassVar = {
        "post": lambda version: {201: EndpointWithSecret},
        "get": lambda version: {200: EndpointPage},
    }
    sends: ClassVar = {"post": ("Location", "Cache-Control"), "get": ("Link", "Cache-Control")}

    @run_once
    @documented(request=EndpointBody, operation_id="webhooks_create")
    def post(self, request: Request) -> HttpResponse:
        """Make an endpoint; its secret is in this answer and never shown again."""
        made = self.bus.execute(RegisterEndpoint(**given(self, EndpointBody, request)))
        headers = {**NO_STORE, "Location": member(request, made.id)}
        return json_answer(shown(made), 201, headers)

    @documented(parameters=[*PAGE], operation_id="webhooks_list")
    def get(self, request: Request) -> HttpResponse:
        """A page of endpoints, newest first."""
        return paged(request, lambda limit, cursor: self.bus.ask(ListEndpoints(limit, cursor)), represent, NO_STORE)


class EndpointDetail(TargetView):
    """One endpoint."""

    problems: ClassVar = {"get": (403,), "patch": (403,), "delete": (403,)}
    answers: ClassVar = {
        "get": lambda version: {200: EndpointAnswer},
        "patch": lambda version: {200: EndpointAnswer},
    }
    sends: ClassVar = {"get": ("Cache-Control",), "patch": ("Cache-Control",)}

    @documented(operation_id="webhooks_retrieve")
    def get(self, request: Request, webhook_id: int) -> HttpResponse:
        """The endpoint, without its secret."""
        return json_answer(represent(self.bus.ask(GetEndpoint(webhook_id))), headers=NO_STORE)

    @documented(request=EndpointChanges, operation_id="webhooks_update")
    def patch(self, request: Request, webhook_id: int) -> HttpResponse:
        """Change the endpoint."""
        changes = given(self, EndpointChanges, request)
        return json_answer(shown(self.bus.execute(UpdateEndpoint(webhook_id, **changes))), headers=NO_STORE)

    @documented(responses={204: None}, operation_id="webhooks_delete")
    def delete(self, request: Request, webhook_id: int) -> HttpResponse:
        """Delete the endpoint and its deliveries."""
        self.bus.execute(DeleteEndpoint(webhook_id))
        return HttpResponse(status=204)


class EndpointSecret(StaffView):
    """The signing secret of an endpoint."""

    problems: ClassVar = {"post": (403,)}
    answers: ClassVar = {"post": lambda version: {200: EndpointWithSecret}}
    sends: ClassVar = {"post": ("Cache-Control",)}

    @run_once
    @documented(request=None, operation_id="webhooks_rotate_secret")
    def post(self, request: Request, webhook_id: int) -> HttpResponse:
        """A new secret; the old one still signs beside it for 24 hours."""
        self.no_body(request)
        return json_answer(shown(self.bus.execute(RotateSecret(webhook_id))), headers=NO_STORE)


class EndpointTest(StaffView):
    """A test message."""

    problems: ClassVar = {"post": (403,)}
    answers: ClassVar = {"post": lambda version: {202: DeliveryAccepted}}

    @run_once
    @documented(request=None, operation_id="webhooks_test")
    def post(self, request: Request, webhook_id: int) -> HttpResponse:
        """Send a message of type webhook.test."""
        self.no_body(request)
        return json_answer({"delivery_id": self.bus.execute(SendTest(webhook_id))}, 202)


class DeliveryList(StaffView):
    """What was sent to an endpoint, and how it went."""

    problems: ClassVar = {"get": (400, 403)}
    answers: ClassVar = {"get": lambda version: {200: DeliveryPage}}
    sends: ClassVar = {"get": ("Link", "Cache-Control")}

    @documented(parameters=[*PAGE], operation_id="webhooks_deliveries")
    def get(self, request: Request, webhook_id: int) -> HttpResponse:
        """A page of deliveries, newest first."""
        return paged(
            request,
            lambda limit, cursor: self.bus.ask(ListDeliveries(webhook_id, limit, cursor)),
            represent_delivery,
            NO_STORE,
        )


class DeliveryRetry(StaffView):
    """One more try."""

    problems: ClassVar = {"post": (403,)}
    answers: ClassVar = {"post": lambda version: {202: DeliveryAccepted}}

    @run_once
    @documented(request=None, operation_id="webhooks_delivery_retry")
    def post(self, request: Request, webhook_id: int, delivery_id: int) -> HttpResponse:
        """Send the delivery again at once, under the same webhook-id."""
        self.no_body(request)
        self.bus.execute(RetryDelivery(webhook_id, delivery_id))
        return json_answer({"delivery_id": delivery_id}, 202)


def given(view: ApiView, body: type[EndpointBody], request: Request) -> dict[str, Any]:
    """The body's values as a command takes them."""
    data = view.valid(body, request)
    if "event_types" in data:
        data["event_types"] = tuple(dict.fromkeys(data["event_types"]))
    return data


def represent(row: Row) -> dict[str, Any]:
    """An endpoint as the API shows it."""
    return {name: row[name] for name in FIELDS}


def shown(endpoint: EndpointSnapshot) -> dict[str, Any]:
    """What a command answered about an endpoint, with its secret if that was just made."""
    secret = {"secret": endpoint.secret} if endpoint.secret else {}
    return represent(asdict(endpoint)) | secret


def represent_delivery(row: Row) -> dict[str, Any]:
    """A delivery as the API shows it."""
    return {
        "id": row["id"],
        "event_id": row["event_id"],
        "event_type": row["event_type"],
        "status": row["state"],
        "attempts": [{name: entry.get(name) for name in ATTEMPT_FIELDS} for entry in attempts_of(row["log"])],
        "next_attempt_at": row["due_at"],
        "payload": payload_of(row["body"]),
    }
