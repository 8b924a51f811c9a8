"""Silent name servers: no transaction waits for them, and no webhook waits for another webhook's name server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.transactions import in_transaction
from apps.users.commands import RegisterUser
from apps.webhooks import names
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.commands import CheckEndpoint, EndpointSnapshot, SendTest, UpdateEndpoint
from apps.webhooks.models import Endpoint, WebhookDelivery
from apps.webhooks.repositories import SendQueue
from apps.webhooks.secrets import SecretBox
from apps.webhooks.sender import Sender
from tests.admin.conftest import changed
from tests.conftest import PASSWORD
from tests.waiting import wait_for
from tests.webhooks.conftest import in_use
from tests.webhooks.receiver import Receiver

PUBLIC = ["93.184.216.34"]


class Directory:
    """The addresses of names; a look-up of "silent…" waits until it is told to answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.leads_to = {"inside.example.com": ["10.0.0.1"]}
        self.answer = threading.Event()

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        if host.startswith("silent"):
            self.answer.wait(30)
        return self.leads_to.get(host, PUBLIC)


@pytest.fixture
def directory_of_names() -> Iterator[Directory]:
    """A resolver instead of the system's; private addresses are refused."""
    directory = Directory()
    with in_use(AddressPolicy(allow_private=False, resolve=directory)):
        yield directory
    directory.answer.set()


@pytest.mark.django_db
class TestEveryEntranceLooksUpBeforeItsTransaction:
    """And refuses what leads inside. conftest.py fails each of these if a look-up begins after BEGIN."""

    @pytest.mark.parametrize("headers", [{}, {"HTTP_IDEMPOTENCY_KEY": "key"}], ids=["plain", "with a key"])
    def test_the_api(self, staff: APIClient, directory_of_names: Directory, headers: dict[str, Any]) -> None:
        made = staff.post("/api/v1/webhooks", {"url": "https://hooks.example.com/"}, **headers)
        assert made.status_code == 201
        refused = staff.post("/api/v1/webhooks", {"url": "https://inside.example.com/"}, HTTP_IDEMPOTENCY_KEY="other")
        assert [problem["pointer"] for problem in refused.json()["errors"]] == ["/url"]
        assert staff.patch(made["Location"], {"url": "https://new.example.com/"}).status_code == 200
        assert staff.patch(made["Location"], {"url": "https://inside.example.com/"}).status_code == 400
        assert directory_of_names.asked == ["hooks.example.com", "inside.example.com", "new.example.com"]

    def test_the_admin(self, directory_of_names: Directory) -> None:
        bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True))
        support = Client()
        assert support.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
        form = {"url": "https://hooks.example.com/", "event_types": [], "description": "", "is_active": "on"}
        assert "whsec_" in support.post("/admin/webhooks/endpoint/add/", form).content.decode()
        page = f"/admin/webhooks/endpoint/{Endpoint.objects.get().pk}/change/"
        assert support.post(page, changed(support, page, url="https://new.example.com/")).status_code == 302
        refused = support.post(page, changed(support, page, url="https://inside.example.com/"))
        assert "must lead to the public internet" in refused.content.decode()
        assert Endpoint.objects.get().url == "https://new.example.com/"
        assert directory_of_names.asked == ["hooks.example.com", "new.example.com", "inside.example.com"]


@pytest.mark.parametrize("command", [CheckEndpoint, UpdateEndpoint])
def test_while_a_name_server_is_silent_no_row_is_locked(
    command: Any, endpoint: EndpointSnapshot, sender: Sender, receiver: Receiver, directory_of_names: Directory
) -> None:
    url = "https://silent.example.com/"
    asked: Any = CheckEndpoint(url) if command is CheckEndpoint else UpdateEndpoint(endpoint.id, url=url)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_in_thread, lambda: bus.execute(asked))
        wait_for(lambda: directory_of_names.asked, "the name server is asked")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM webhooks_endpoint FOR UPDATE NOWAIT")
        bus.execute(SendTest(endpoint.id))
        assert sender.drain(5) == 1
        directory_of_names.answer.set()
        waiting.result(10)
    assert len(receiver.received) == 1


def test_what_waits_for_our_own_threads_is_postponed_and_never_counted(
    endpoint: EndpointSnapshot, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, webhooks_due: Callable[[], None]
) -> None:
    """Two dead name servers take both threads: addresses are sent to, names wait uncounted, and are sent to later."""
    monkeypatch.setattr(names, "THREAD_SECONDS", 0.3)
    monkeypatch.setattr(names, "ANSWER_SECONDS", 1.0)
    directory = Directory()
    directory.leads_to["healthy.example.com"] = ["127.0.0.1"]
    policy = AddressPolicy(allow_private=True, resolve=directory)
    policy._names = names.Names(directory, threads=2)
    sender = Sender(policy, SendQueue(SecretBox(settings.ENV.secret_key)), [5])
    secret = Endpoint.objects.get().secret
    dead = [
        Endpoint.objects.create(url=f"http://silent{number}.example.com/hook", secret=secret) for number in range(2)
    ]
    named = Endpoint.objects.create(url=f"http://healthy.example.com:{receiver.port}/hook", secret=secret)
    with ExitStack() as stack:
        stack.callback(directory.answer.set)
        for endpoint_id in [one.id for one in dead] * 10:
            bus.execute(SendTest(endpoint_id))
        # the dead ones have the threads before the others come
        pool = stack.enter_context(ThreadPoolExecutor(1))
        draining = pool.submit(_in_thread, lambda: sender.drain(0.5))
        wait_for(lambda: len(directory.asked) == 2, "the dead ones have both threads")
        bus.execute(SendTest(named.id))
        bus.execute(SendTest(endpoint.id))
        draining.result(10)
        webhooks_due()
        sender.drain(0.5)
        waiting = WebhookDelivery.objects.get(endpoint=named)
        assert (waiting.state, waiting.attempts, waiting.log, waiting.token) == ("pending", 0, [], None)
        assert Endpoint.objects.get(id=named.id).failures == 0
        assert WebhookDelivery.objects.get(endpoint_id=endpoint.id).state == "delivered"
        assert sorted(directory.asked) == ["silent0.example.com", "silent1.example.com"]
        assert "no name server answered" in WebhookDelivery.objects.filter(endpoint=dead[0])[0].last_error
    wait_for(lambda: not policy._names._flying, "the dead ones have answered")
    webhooks_due()
    sender.drain(5)
    assert WebhookDelivery.objects.get(endpoint=named).state == "delivered"


def test_two_dead_name_servers_do_not_hold_up_a_healthy_name(endpoint: EndpointSnapshot, receiver: Receiver) -> None:
    directory = Directory()
    directory.leads_to["healthy.example.com"] = ["127.0.0.1"]
    policy = AddressPolicy(allow_private=True, resolve=directory)
    sender = Sender(policy, SendQueue(SecretBox(settings.ENV.secret_key)), [5])
    secret = Endpoint.objects.get().secret
    for number in range(2):
        Endpoint.objects.create(url=f"http://silent{number}.example.com/hook", secret=secret)
    named = Endpoint.objects.create(url=f"http://healthy.example.com:{receiver.port}/hook", secret=secret)
    for endpoint_id in Endpoint.objects.order_by("id").values_list("id", flat=True):
        for _ in range(25):
            bus.execute(SendTest(endpoint_id))
    with ThreadPoolExecutor(1) as pool:
        draining = pool.submit(_in_thread, lambda: sender.drain(1))
        wait_for(lambda: len(receiver.received) == 50, "the healthy ones are sent")
        assert WebhookDelivery.objects.filter(endpoint=named).exclude(attempts=1).count() == 0
        assert not directory.answer.is_set()
        directory.answer.set()
        draining.result(30)
    assert sorted(directory.asked) == ["healthy.example.com", "silent0.example.com", "silent1.example.com"]


def test_a_look_up_inside_a_transaction_would_be_seen(
    endpoint: EndpointSnapshot, monkeypatch: pytest.MonkeyPatch, directory_of_names: Directory
) -> None:
    """The guard of conftest.py itself: if the check comes after BEGIN again, it reports that."""
    from django.db import transaction

    from tests import waiting_in_transactions

    monkeypatch.setattr(names, "in_transaction", lambda: False)
    with transaction.atomic():
        assert in_transaction()
        bus.execute(UpdateEndpoint(endpoint.id, url="https://hooks.example.com/"))
    assert any("look_up" in seen for seen in waiting_in_transactions.take())


def _in_thread(work: Callable[[], object]) -> object:
    try:
        return work()
    finally:
        connection.close()
