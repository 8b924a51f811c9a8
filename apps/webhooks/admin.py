"""Webhooks in the admin: every change goes through the same commands as the API's."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from apps.core.admin import HistoryAdmin, ServiceAdmin
from apps.core.bus import bus
from apps.core.errors import DomainError, Invalid
from apps.events.bus import EVENTS
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


class EndpointForm(forms.ModelForm[Endpoint]):
    """Checks an endpoint by the same rules as the API."""

    event_types = forms.MultipleChoiceField(
        choices=lambda: [(name, name) for name in sorted(EVENTS)],
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


@admin.register(Endpoint)
class EndpointAdmin(ServiceAdmin[Endpoint]):
    """Endpoints: register, change, rotate, test, switch off."""

    form = EndpointForm
    list_display = ("url", "is_active", "failures", "failing_since", "last_success_at", "disabled_reason", "created_at")
    list_filter = ("is_active",)
    search_fields = ("url", "description")
    ordering = ("-id",)
    actions = ("rotate", "test", "disable")

    def save_model(self, request: HttpRequest, obj: Endpoint, form: ModelForm[Endpoint], change: bool) -> None:
        """Run the command instead of saving the row; a new secret is shown this once."""
        values: dict[str, Any] = {
            "url": obj.url,
            "event_types": tuple(obj.event_types),
            "description": obj.description,
            "is_active": obj.is_active,
        }
        if change:
            bus.execute(UpdateEndpoint(obj.pk, **values))
            return
        made = bus.execute(RegisterEndpoint(**values))
        obj.pk = made.id
        self.message_user(request, f"The signing secret, shown this once: {made.secret}", messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: Endpoint) -> None:
        """Run the command instead of deleting the row."""
        bus.execute(DeleteEndpoint(obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        """Run the command for each."""
        for endpoint_id in queryset.values_list("pk", flat=True):
            bus.execute(DeleteEndpoint(endpoint_id))

    @admin.action(description="Rotate the secret of the selected webhooks")
    def rotate(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        """Run RotateSecret for each."""
        for endpoint in queryset:
            made = bus.execute(RotateSecret(endpoint.pk))
            self.log_change(request, endpoint, "secret rotated")
            self.message_user(request, f"{endpoint}: the new secret, shown this once: {made.secret}", messages.WARNING)

    @admin.action(description="Send a test message to the selected webhooks")
    def test(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        """Run SendTest for each."""
        for endpoint in queryset:
            bus.execute(SendTest(endpoint.pk))
            self.log_change(request, endpoint, "test sent")
        self.message_user(request, "The test messages are on their way.")

    @admin.action(description="Switch the selected webhooks off")
    def disable(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        """Run UpdateEndpoint for each."""
        for endpoint in queryset:
            bus.execute(UpdateEndpoint(endpoint.pk, is_active=False))
            self.log_change(request, endpoint, "switched off")
        self.message_user(request, "Switched off.")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(HistoryAdmin[WebhookDelivery]):
    """Webhook deliveries; each can be sent again."""

    list_display = ("id", "endpoint", "event_type", "state", "attempts", "last_error", "due_at", "settled_at")
    list_filter = ("state", "event_type")
    search_fields = ("=message_id", "=request_id")
    ordering = ("-id",)
    list_select_related: ClassVar = ["endpoint"]
    exclude = ("token",)
    actions = ("send_again",)

    @admin.action(description="Send the selected deliveries again")
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        """Run RetryDelivery for each."""
        for delivery in queryset:
            try:
                bus.execute(RetryDelivery(delivery.endpoint_id, delivery.pk))
            except DomainError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.log_change(request, delivery, "sent again")
        self.message_user(request, "The deliveries will be sent again.")
