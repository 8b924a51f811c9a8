"""Fixtures of the webhooks' tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection

from apps.core.bus import bus
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.commands import CheckEndpoint, EndpointSnapshot, LookUpHost, RegisterEndpoint, UpdateEndpoint
from apps.webhooks.repositories import Deliveries, Endpoints, SendQueue
from apps.webhooks.secrets import SecretBox
from apps.webhooks.sender import Sender
from apps.webhooks.services import Retention, WebhookService
from tests.webhooks.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook receiver."""
    with Receiver() as running:
        yield running


@contextmanager
def in_use(policy: AddressPolicy) -> Iterator[AddressPolicy]:
    """Let the service use `policy`."""
    kept = Retention(*[timedelta(days=1)] * 2)
    service = WebhookService(Endpoints(), Deliveries(), policy, SecretBox(settings.ENV.secret_key), kept)
    with (
        bus.replaced(RegisterEndpoint, service.register),
        bus.replaced(UpdateEndpoint, service.update),
        bus.replaced(CheckEndpoint, service.check),
        bus.replaced(LookUpHost, service.look_up),
    ):
        yield policy


@pytest.fixture
def private_allowed() -> Iterator[AddressPolicy]:
    """Loopback addresses may be registered."""
    with in_use(AddressPolicy(allow_private=True)) as policy:
        yield policy


@pytest.fixture
def endpoint(transactional_db: None, private_allowed: AddressPolicy, receiver: Receiver) -> EndpointSnapshot:
    """An endpoint at the receiver; its secret is in it."""
    return bus.execute(RegisterEndpoint(receiver.url))


@pytest.fixture
def sender(private_allowed: AddressPolicy) -> Sender:
    """A sender with the standard schedule, which may send to loopback."""
    return Sender(private_allowed, SendQueue(SecretBox(settings.ENV.secret_key)), settings.ENV.webhook_retry_schedule)


@pytest.fixture
def webhooks_due() -> Callable[[], None]:
    """Makes every waiting webhook due at once, as time would."""

    def bring_forward() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE webhooks_webhookdelivery SET due_at = statement_timestamp() WHERE due_at IS NOT NULL"
            )

    return bring_forward
