"""Many services' URLs are secrets: messages about an endpoint name only its host."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.events.models import Delivery, OutboxEvent
from apps.users.commands import RegisterUser, UserSnapshot
from apps.webhooks.commands import DisableEndpoint, EndpointSnapshot, RegisterEndpoint, SendTest
from apps.webhooks.events import WebhookDisabled
from apps.webhooks.models import Endpoint, WebhookDelivery
from apps.webhooks.names import host_of
from tests.conftest import PASSWORD

SECRET = "T0000-B0000-XXXXXXXX"
URL = f"https://93.184.216.34/services/{SECRET}?key={SECRET}"


@pytest.mark.django_db
def test_no_receiver_mail_or_log_tells_the_url_of_a_disabled_endpoint(
    register: Callable[..., UserSnapshot], drain: Callable[[], int], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    register("boss@example.com", is_staff=True)
    other = bus.execute(RegisterEndpoint("https://93.184.216.34/other"))
    disabled = bus.execute(RegisterEndpoint(URL))
    bus.execute(DisableEndpoint(disabled.id, "the endpoint answered 410 Gone"))
    drain()
    told = WebhookDelivery.objects.get(endpoint_id=other.id, event_type="webhook.disabled")
    assert json.loads(told.body)["data"] == {
        "webhook_id": disabled.id,
        "host": "93.184.216.34",
        "reason": "the endpoint answered 410 Gone",
    }
    (message,) = [sent for sent in mail.outbox if "disabled" in sent.subject]
    assert f"webhook {disabled.id} at 93.184.216.34" in message.body
    assert SECRET not in message.body
    assert SECRET not in json.dumps(list(OutboxEvent.objects.values_list("data", flat=True)))
    out, err = capfdbinary.readouterr()
    assert SECRET.encode() not in out + err


@pytest.mark.django_db
def test_the_url_is_neither_in_the_admin_s_log_nor_in_its_messages() -> None:
    bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True))
    support = Client()
    assert support.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
    form = {"url": URL, "event_types": [], "description": "", "is_active": "on"}
    made = support.post("/admin/webhooks/endpoint/add/", form)
    assert made.status_code == 200
    assert SECRET not in made.content.decode()
    endpoint = Endpoint.objects.get()
    support.post(f"/admin/webhooks/endpoint/{endpoint.pk}/delete/", {"post": "yes"})
    assert not Endpoint.objects.exists()
    assert AdminNote.objects.count() == 2
    assert not AdminNote.objects.filter(name__contains=SECRET).exists()
    assert SECRET not in support.get("/admin/").content.decode()


@pytest.mark.django_db
def test_an_event_of_the_version_before_is_told_as_of_this_one(drain: Callable[[], int]) -> None:
    other = bus.execute(RegisterEndpoint("https://93.184.216.34/other"))
    data = json.dumps({"webhook_id": 5, "url": URL, "reason": "gone"})
    with connection.cursor() as cursor:
        sql = "INSERT INTO events_outboxevent (type, aggregate, data, request_id) VALUES (%s, 'webhook:5', %s, '')"
        cursor.execute(sql, ["webhook.disabled", data])
    drain()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
    told = WebhookDelivery.objects.get(endpoint_id=other.id)
    assert json.loads(told.body)["data"] == {"webhook_id": 5, "host": "93.184.216.34", "reason": "gone"}
    with pytest.raises(TypeError):
        WebhookDisabled.read({"webhook_id": 5, "who": "knows"})


@pytest.mark.parametrize(
    ("url", "host"),
    [(URL, "93.184.216.34"), ("https://A.example:8443/x", "a.example"), ("nonsense", ""), ("http://[", "")],
)
def test_a_host_is_found_in_whatever_is_stored(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "log"),
    [
        ("not json", "{}"),
        ("[1]", "null"),
        ("", "[1]"),
        ('{"type":"user.created"}', '[{"at": "2026-11-24T09:00:01Z"}]'),
    ],
)
def test_a_delivery_of_odd_content_is_shown_as_far_as_it_can_be(
    staff: APIClient, endpoint_row: EndpointSnapshot, body: str, log: str
) -> None:
    for _ in range(2):
        bus.execute(SendTest(endpoint_row.id))
    spoilt = WebhookDelivery.objects.order_by("id")[0].pk
    with connection.cursor() as cursor:
        sql = "UPDATE webhooks_webhookdelivery SET body = %s, log = %s::jsonb WHERE id = %s"
        cursor.execute(sql, [body, log, spoilt])
    shown = staff.get(f"/api/v1/webhooks/{endpoint_row.id}/deliveries").json()["results"]
    assert shown[0]["payload"]["type"] == "webhook.test"
    assert shown[1]["payload"] == ({"type": "user.created"} if body.startswith("{") else {"unreadable": body})
    bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True))
    support = Client()
    assert support.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
    assert support.get(f"/admin/webhooks/webhookdelivery/{spoilt}/change/").status_code == 200


@pytest.fixture
def endpoint_row(db: None) -> EndpointSnapshot:
    """An endpoint."""
    return bus.execute(RegisterEndpoint("https://93.184.216.34/hook"))
