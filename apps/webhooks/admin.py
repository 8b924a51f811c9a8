"""Webhooks in the admin: every change goes through the same commands as the API's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from apps.core.backoffice.actions import CommandAction, deletion, shown_once
from apps.core.backoffice.display import NOTHING, pretty, shortened, table
from apps.core.backoffice.forms import VersionedForm
from apps.core.backoffice.links import Link, anchor, is_aggregate, list_of, page_of, related
from apps.core.backoffice.lists import by
from apps.core.backoffice.site import HistoryAdmin, ServiceAdmin
from apps.core.bus import bus
from apps.core.errors import Invalid
from apps.events.bus import public_types
from apps.webhooks import overview  # noqa: F401 - registers the panel
from apps.webhooks.commands import (
    CheckEndpoint,
    DeleteEndpoint,
    RegisterEndpoint,
    RetryDelivery,
    RotateSecret,
    SendTest,
    UpdateEndpoint,
)
from apps.webhooks.models import Endpoint, WebhookDelivery
from apps.webhooks.queries import attempts_of, payload_of


class EndpointForm(VersionedForm[Endpoint]):
    """Checks an endpoint by the same rules as the API."""

    event_types = forms.MultipleChoiceField(
        choices=lambda: [(name, name) for name in public_types()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None: all.",
    )

    class Meta:
        model = Endpoint
        fields: ClassVar = ["url", "event_types", "description", "is_active"]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            bus.execute(CheckEndpoint(url))
        except Invalid as error:
            raise forms.ValidationError([p.detail for p in error.problems]) from error
        return url


def values_of(given: dict[str, Any]) -> dict[str, Any]:
    """A form's values as the commands take them."""
    return {name: tuple(value) if name == "event_types" else value for name, value in given.items()}


ROTATE = CommandAction[Endpoint](
    "rotate",
    "Rotate secret",
    "Each webhook gets a new signing secret, shown once on the next page. The present one still signs beside it for"
    " 24 hours; the one before that stops at once.",
    "secret rotated",
    lambda endpoint, request: RotateSecret(endpoint.pk),
    answer=lambda endpoint, made: made.secret,
)
TEST = CommandAction[Endpoint](
    "test",
    "Send a test",
    "Each webhook is sent a message of type webhook.test.",
    "test sent",
    lambda endpoint, request: SendTest(endpoint.pk),
)
DISABLE = CommandAction[Endpoint](
    "disable",
    "Switch off",
    "Nothing more is sent there, and events that happen meanwhile are not kept for it. What is queued already waits"
    " until it is switched on again.",
    "switched off",
    lambda endpoint, request: UpdateEndpoint(endpoint.pk, is_active=False),
    lambda endpoint: endpoint.is_active,
)
ENABLE = CommandAction[Endpoint](
    "enable",
    "Switch on",
    "Each webhook is sent events again, from now on, and what waits for it; its failures are forgotten.",
    "switched on",
    lambda endpoint, request: UpdateEndpoint(endpoint.pk, is_active=True),
    lambda endpoint: not endpoint.is_active,
)
DELETE = deletion(Endpoint, lambda endpoint, request: DeleteEndpoint(endpoint.pk))
SEND_AGAIN = CommandAction[WebhookDelivery](
    "send_again",
    "Send again",
    "Each delivery is sent again at once, with fresh attempts, whether it arrived before or not; the receiver can tell"
    " by its webhook-id.",
    "will be sent again",
    lambda delivery, request: RetryDelivery(delivery.endpoint_id, delivery.pk),
    describe=lambda delivery: f"{delivery} to {delivery.endpoint}, {delivery.state}",
)


@admin.register(Endpoint)
class EndpointAdmin(ServiceAdmin[Endpoint]):
    """Endpoints: register, change, rotate, test, switch on and off."""

    form = EndpointForm
    list_display = (
        "url", "is_active", "failures", "failing_since", "last_success_at", "disabled_reason", "created_at",
        "its_deliveries",
    )  # fmt: skip
    list_filter = ("is_active",)
    search_fields = ("url", "description")
    ordering = ("-id",)
    sortable_by = ("url", "failures", "failing_since", "last_success_at", "created_at")
    actions = (ROTATE, TEST, DISABLE, ENABLE, DELETE)
    readonly_fields = ("disabled_reason", "failures", "failing_since", "last_success_at", "created_at", "updated_at")

    def get_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> Any:
        return ["url", "event_types", "description", "is_active", *(self.readonly_fields if obj else ())]

    def save_model(self, request: HttpRequest, obj: Endpoint, form: ModelForm[Endpoint], change: bool) -> None:
        """Run the command instead of saving the row."""
        known: Any = form
        if change:
            bus.execute(UpdateEndpoint(obj.pk, **values_of(known.changes), expected_version=known.seen_version))
            return
        made = bus.execute(RegisterEndpoint(**values_of(form.cleaned_data)))
        obj.pk, obj.secret = made.id, made.secret or ""

    def response_add(self, request: HttpRequest, obj: Endpoint, post_url_continue: str | None = None) -> HttpResponse:
        """Show the new secret, this once."""
        link = Link(str(obj), page_of(self.opts.label_lower, obj.pk))
        return shown_once(self, request, "Signing secret", [(link, obj.secret)])

    def delete_model(self, request: HttpRequest, obj: Endpoint) -> None:
        """Run the command instead of deleting the row."""
        bus.execute(DeleteEndpoint(obj.pk))

    @admin.display(description="deliveries")
    def its_deliveries(self, endpoint: Endpoint) -> object:
        return anchor("deliveries", list_of("webhooks.webhookdelivery", endpoint=endpoint.pk))


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(HistoryAdmin[WebhookDelivery]):
    """Webhook deliveries; each can be sent again."""

    list_display = (
        "id", "state", "its_endpoint", "event_type", "its_event", "problem", "attempts", "due_at", "settled_at",
    )  # fmt: skip
    list_filter = ("state", by("webhook", "endpoint"), by("message", "message_id"))
    search_fields = ("message_id__exact",)
    search_help_text = "A message's webhook-id, such as evt_5, or the number of an event: the whole of it."
    ordering = ("-id",)
    sortable_by = ("id", "settled_at")
    # the day it was settled; a delivery that still waits has none
    date_hierarchy = "settled_at"
    list_select_related: ClassVar = ["endpoint"]
    unlisted: ClassVar = ("body", "log")
    actions = (SEND_AGAIN,)
    fields = (
        "id", "its_endpoint", "message_id", "its_event", "event_type", "state", "attempts", "last_error",
        "attempts_log", "content", "created_at", "due_at", "settled_at", "request_id",
    )  # fmt: skip
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[WebhookDelivery], search_term: str
    ) -> tuple[QuerySet[WebhookDelivery], bool]:
        """Search by the message's id; the number of an event is part of it."""
        term = search_term.strip()
        wanted = f"evt_{term}" if term.isdigit() else term
        return (queryset.filter(message_id=wanted) if term else queryset), False

    @admin.display(description="last error")
    def problem(self, delivery: WebhookDelivery) -> str:
        return shortened(delivery.last_error)

    @admin.display(description="webhook")
    def its_endpoint(self, delivery: WebhookDelivery) -> object:
        return anchor(delivery.endpoint, page_of("webhooks.endpoint", delivery.endpoint_id))

    @admin.display(description="event")
    def its_event(self, delivery: WebhookDelivery) -> object:
        if delivery.event_id is None:
            return NOTHING
        return anchor(delivery.event_id, page_of("events.outboxevent", delivery.event_id))

    @admin.display(description="attempts so far")
    def attempts_log(self, delivery: WebhookDelivery) -> object:
        if not delivery.log:
            return NOTHING
        names = ("at", "status_code", "latency_ms", "error")
        shown = [["" if one.get(name) is None else one[name] for name in names] for one in attempts_of(delivery.log)]
        return table(("at", "status", "ms", "error"), shown)

    @admin.display(description="content")
    def content(self, delivery: WebhookDelivery) -> object:
        return pretty(payload_of(delivery.body))


is_aggregate("webhook", "webhooks.endpoint")


@related("webhooks.endpoint")
def of_endpoint(endpoint: Endpoint) -> Iterable[Link]:
    """Link an endpoint to its deliveries and events."""
    for text, filters in (("Its deliveries", {}), ("Dead ones", {"state__exact": "dead"})):
        yield Link(text, list_of("webhooks.webhookdelivery", endpoint=endpoint.pk, **filters))
    yield Link("Events about it", list_of("events.outboxevent", aggregate=f"webhook:{endpoint.pk}"))


@related("webhooks.webhookdelivery")
def of_delivery(delivery: WebhookDelivery) -> Iterable[Link]:
    """Link a delivery to its endpoint, its event and its neighbours."""
    yield Link("The webhook", page_of("webhooks.endpoint", delivery.endpoint_id))
    if delivery.event_id is not None:
        yield Link("The event", page_of("events.outboxevent", delivery.event_id))
    if delivery.request_id:
        yield Link("Events of the same request", list_of("events.outboxevent", request_id=delivery.request_id))
    yield Link("Same message, every webhook", list_of("webhooks.webhookdelivery", message_id=delivery.message_id))


@related("events.outboxevent")
def of_event(event: Any) -> Iterable[Link]:
    """Link an event to the messages that carry it."""
    yield Link("Webhook deliveries", list_of("webhooks.webhookdelivery", message_id=f"evt_{event.pk}"))
