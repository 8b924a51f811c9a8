"""The use cases of webhooks."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import structlog

from apps.core.bus import unit_of_work
from apps.core.queue.work_queue import prune_in_batches
from apps.core.repository import check_version
from apps.events.bus import is_bulk, publish
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.commands import (
    CheckEndpoint,
    DeleteEndpoint,
    DisableEndpoint,
    EndpointSnapshot,
    FanOut,
    LookUpHost,
    PruneDeliveries,
    RegisterEndpoint,
    RetryDelivery,
    RotateSecret,
    SendTest,
    UpdateEndpoint,
)
from apps.webhooks.events import WebhookDisabled, WebhookTested
from apps.webhooks.messages import Body
from apps.webhooks.models import Endpoint
from apps.webhooks.names import host_of
from apps.webhooks.repositories import Deliveries, Endpoints
from apps.webhooks.rules import check_description, check_event_types
from apps.webhooks.secrets import SecretBox

log = structlog.get_logger("webhooks")
OLD_SECRET_SIGNS_FOR = timedelta(hours=24)
PRUNE_BATCH = 1000


class Retention(NamedTuple):
    """How long a settled delivery is kept, and how long one that still waits."""

    settled: timedelta
    waiting: timedelta


class WebhookService:
    """Handlers of the commands of webhooks."""

    def __init__(
        self, endpoints: Endpoints, deliveries: Deliveries, policy: AddressPolicy, box: SecretBox, retention: Retention
    ) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._policy = policy
        self._box = box
        self._retention = retention

    def register(self, command: RegisterEndpoint) -> EndpointSnapshot:
        """Keep the endpoint; its secret is in the answer and never shown again."""
        # the check may wait for a name server: before the transaction
        self._policy.check_url(command.url)
        check_event_types(command.event_types)
        check_description(command.description)
        secret = self._box.make()
        row = Endpoint(
            url=command.url,
            event_types=list(command.event_types),
            description=command.description,
            is_active=command.is_active,
            secret=self._box.close(secret),
        )
        with unit_of_work():
            return snapshot(self._endpoints.create(row), secret)

    def look_up(self, command: LookUpHost) -> None:
        """Look the host up ahead, since a check in a transaction may not wait for that."""
        self._policy.look_up(command.url)

    def check(self, command: CheckEndpoint) -> None:
        """Check the URL alone, for a form that is still being filled in."""
        self._policy.check_url(command.url)

    def update(self, command: UpdateEndpoint) -> EndpointSnapshot:
        """Change what is given; switching an endpoint on again forgets that it failed."""
        changes: dict[str, Any] = {}
        if command.url is not None:
            # before the lock, for which every sender would wait
            self._policy.check_url(command.url)
            changes["url"] = command.url
        if command.event_types is not None:
            check_event_types(command.event_types)
            changes["event_types"] = list(command.event_types)
        if command.description is not None:
            check_description(command.description)
            changes["description"] = command.description
        with unit_of_work():
            row = self._endpoints.lock(command.endpoint_id)
            check_version(row, command.expected_version)
            if command.is_active is not None:
                changes["is_active"] = command.is_active
                if command.is_active and not row.is_active:
                    changes |= {"disabled_reason": "", "failures": 0, "failing_since": None}
            return snapshot(self._endpoints.update(row, **changes) if changes else row)

    def delete(self, command: DeleteEndpoint) -> None:
        """Delete the endpoint; what is being sent at this moment still arrives."""
        self._endpoints.delete(self._endpoints.lock_to_delete(command.endpoint_id))

    def rotate(self, command: RotateSecret) -> EndpointSnapshot:
        """Keep the old secret for a day, so that the consumer can switch over without a gap.

        If it cannot be read, it is dropped, and what could not be signed with it is sent at once.
        """
        row = self._endpoints.lock(command.endpoint_id)
        secret = self._box.make()
        changes: dict[str, Any] = {"secret": self._box.close(secret)}
        previous, renewed = self._box.read_and_renew(row.secret)
        if previous:
            changes |= {
                "previous_secret": renewed or row.secret,
                "previous_secret_until": datetime.now(UTC) + OLD_SECRET_SIGNS_FOR,
            }
        else:
            changes |= {"previous_secret": "", "previous_secret_until": None}
            self._deliveries.hurry_failed(row.id)
        return snapshot(self._endpoints.update(row, **changes), secret)

    def send_test(self, command: SendTest) -> int:
        """Queue a message of type webhook.test."""
        # locked, so that it is not deleted before the delivery is there
        row = self._endpoints.lock(command.endpoint_id)
        body = message(WebhookTested.type, datetime.now(UTC).isoformat(), WebhookTested(row.id).data())
        return self._deliveries.queue_one(row, f"test_{uuid.uuid4().hex}", WebhookTested.type, body)

    def retry(self, command: RetryDelivery) -> None:
        """Make the delivery due; one that is being sent at this moment is left to end."""
        row = self._deliveries.lock(command.endpoint_id, command.delivery_id)
        if row.token is None or (row.due_at and row.due_at <= datetime.now(UTC)):
            self._deliveries.start_over(row)

    def fan_out(self, command: FanOut) -> int:
        """Queue the events; one statement, idempotent by a message's id, which all attempts and endpoints share."""
        return self._deliveries.queue_for_all(command.events, bulk=is_bulk())

    def disable(self, command: DisableEndpoint) -> None:
        """Switch the endpoint off and publish WebhookDisabled; what is queued waits until it is switched on."""
        if self._endpoints.switch_off(command.endpoint_id, command.reason):
            row = self._endpoints.get(command.endpoint_id)
            log.warning("webhook_disabled", webhook_id=row.id, reason=command.reason)
            publish(WebhookDisabled(row.id, host_of(row.url), command.reason))

    def prune(self, command: PruneDeliveries) -> int:
        """Delete in batches, each its own short transaction."""
        settled, waiting = self._retention
        return prune_in_batches(lambda limit: self._deliveries.delete_old(settled, waiting, limit), PRUNE_BATCH)


def message(event_type: str, timestamp: str, data: dict[str, Any]) -> str:
    """The body of a webhook, as it is stored, signed and sent."""
    return json.dumps(Body(type=event_type, timestamp=timestamp, data=data), separators=(",", ":"))


def snapshot(row: Endpoint, secret: str | None = None) -> EndpointSnapshot:
    """`row` without its stored secrets."""
    return EndpointSnapshot(
        id=row.id,
        url=row.url,
        event_types=row.event_types,
        description=row.description,
        is_active=row.is_active,
        disabled_reason=row.disabled_reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
        secret=secret,
    )
