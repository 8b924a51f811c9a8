"""Connections to endpoints are kept for the next message, and no more of them than a process can have."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from apps.core.bus import bus
from apps.webhooks import connections
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.commands import RegisterEndpoint, SendTest
from apps.webhooks.models import WebhookDelivery
from apps.webhooks.outbound import client
from apps.webhooks.repositories import PER_ENDPOINT
from apps.webhooks.sender import Sender
from tests.webhooks.receiver import Receiver

ENDPOINTS = 4


@pytest.mark.usefixtures("transactional_db")
def test_endpoints_of_one_server_share_its_connections(sender: Sender, receiver: Receiver) -> None:
    keys = [bus.execute(RegisterEndpoint(f"{receiver.url}/{number}")).id for number in range(ENDPOINTS)]
    for key in keys:
        for _ in range(2 * PER_ENDPOINT):
            bus.execute(SendTest(key))
    sender.drain(10)
    assert WebhookDelivery.objects.filter(state="delivered").count() == ENDPOINTS * 2 * PER_ENDPOINT
    assert len(receiver.log.connections) <= ENDPOINTS * PER_ENDPOINT, "at most as many as there are requests at once"


def test_the_one_that_was_idle_for_the_longest_time_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEPT", 2)
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(Receiver()) for _ in range(3))

        async def ask(*receivers: Receiver) -> None:
            async with client(AddressPolicy(allow_private=True)) as http:
                for receiver in receivers:
                    async with http.stream("POST", receiver.url, content=b"{}") as answer:
                        await answer.aread()

        asyncio.run(ask(first, second, first, third, first, second))
        assert [len(receiver.log.connections) for receiver in (first, second, third)] == [1, 2, 1]
