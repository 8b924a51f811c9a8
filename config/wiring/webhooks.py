"""What answers the messages of webhooks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache

from apps.core.bus import Bus
from apps.webhooks import commands as webhooks
from apps.webhooks import queries as webhook_queries
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.repositories import Deliveries, Endpoints, SendQueue
from apps.webhooks.secrets import SecretBox
from apps.webhooks.services import Retention, WebhookService
from config.container import Container


def wire(container: Container, bus: Bus) -> None:
    """Register the handlers."""
    env = container.env
    policy = AddressPolicy(allow_private=env.webhook_allow_private_networks)
    box = SecretBox(env.secret_key, env.secret_key_fallbacks)
    retention = Retention(timedelta(days=env.event_retention_days), timedelta(days=env.undelivered_retention_days))
    service = WebhookService(Endpoints(), Deliveries(), policy, box, retention)
    bus.register(webhooks.RegisterEndpoint, service.register)
    bus.register(webhooks.CheckEndpoint, service.check)
    bus.register(webhooks.LookUpHost, service.look_up)
    bus.register(webhooks.UpdateEndpoint, service.update)
    bus.register(webhooks.DeleteEndpoint, service.delete)
    bus.register(webhooks.RotateSecret, service.rotate)
    bus.register(webhooks.SendTest, service.send_test)
    bus.register(webhooks.RetryDelivery, service.retry)
    bus.register(webhooks.FanOut, service.fan_out)
    bus.register(webhooks.DisableEndpoint, service.disable)
    bus.register(webhooks.PruneDeliveries, service.prune)
    bus.register(webhooks.SendDue, sending(policy, box, env.webhook_retry_schedule))
    bus.register(webhook_queries.GetEndpoint, webhook_queries.get_endpoint)
    bus.register(webhook_queries.ListEndpoints, webhook_queries.list_endpoints)
    bus.register(webhook_queries.FindWanted, webhook_queries.find_wanted)
    bus.register(webhook_queries.ListDeliveries, webhook_queries.list_deliveries)


def sending(policy: AddressPolicy, box: SecretBox, schedule: tuple[int, ...]) -> Callable[[webhooks.SendDue], int]:
    """What sends; its HTTP client is made when there is something to send."""

    @cache
    def drain() -> Callable[[float], int]:
        from apps.webhooks.sender import Sender  # noqa: PLC0415 - as the people directory's client

        return Sender(policy, SendQueue(box), schedule).drain

    return lambda command: drain()(command.seconds)
