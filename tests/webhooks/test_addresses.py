from __future__ import annotations

import socket

import pytest
from django.conf import settings

from apps.core.bus import bus
from apps.core.errors import Invalid
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.commands import EndpointSnapshot, SendTest
from apps.webhooks.models import Endpoint, WebhookDelivery
from apps.webhooks.secrets import SecretBox
from apps.webhooks.sender import Sender
from tests.receiver import Receiver

INTERNAL = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://0.0.0.0/",
    "http://localhost/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://192.0.0.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[fec0::1]/",
    "http://[fe80::1%25lo]/",
    "http://localhost./",
    "http://%31%32%37.0.0.1/",
]
MALFORMED = [
    "ftp://93.184.216.34/",
    "file:///etc/passwd",
    "//93.184.216.34/",
    "93.184.216.34",
    "http://",
    "http://user:password@93.184.216.34/",
    "http://user@93.184.216.34/",
    "http://93.184.216.34:22/",
    "http://93.184.216.34:99999/",
    "http://93.184.216.34/#fragment",
    "http://93.184.216.34/ \r\nHost: internal",
    "http://[93.184.216.34/",
    "https://93.184.216.34/" + "x" * 2000,
]


@pytest.mark.parametrize("url", INTERNAL + MALFORMED)
def test_an_address_that_is_not_public_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as raised:
        AddressPolicy(allow_private=False).check_url(url)
    assert raised.value.problems[0].pointer == "/url"


@pytest.mark.parametrize(
    "url", ["https://93.184.216.34/hook", "http://93.184.216.34:8080/", "https://[2606:2800:220:1::1]/hook?a=1"]
)
def test_a_public_address_is_taken(url: str) -> None:
    AddressPolicy(allow_private=False).check_url(url)


def test_a_name_that_leads_inside_is_refused() -> None:
    policy = AddressPolicy(allow_private=False, resolve=lambda host: ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(Invalid):
        policy.check_url("https://hooks.example.com/")


def test_a_name_that_is_moved_inside_after_registration_is_not_dialled(
    endpoint: EndpointSnapshot, receiver: Receiver
) -> None:
    """DNS rebinding: the name was public when it was checked, and is loopback when it is dialled."""
    Endpoint.objects.update(url=f"http://hooks.example.com:{receiver.port}/hook")
    policy = AddressPolicy(allow_private=False, resolve=lambda host: ["127.0.0.1"])
    bus.execute(SendTest(endpoint.id))
    Sender(policy, SecretBox(settings.ENV.secret_key), [5]).drain(5)
    assert receiver.received == []
    (entry,) = WebhookDelivery.objects.get().log
    assert entry["status_code"] is None
    assert "not allowed" in entry["error"]
    assert "127.0.0.1" not in entry["error"]


def test_the_address_that_was_checked_is_the_one_that_is_dialled(
    endpoint: EndpointSnapshot, receiver: Receiver
) -> None:
    """A resolver that gives another answer each time cannot slip a second one past the check."""
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    Endpoint.objects.update(url=f"http://hooks.example.com:{receiver.port}/hook")
    bus.execute(SendTest(endpoint.id))
    policy = AddressPolicy(allow_private=True, resolve=resolve)
    Sender(policy, SecretBox(settings.ENV.secret_key), [5]).drain(5)
    assert asked == ["hooks.example.com"]
    assert len(receiver.received) == 1
    assert receiver.received[0].headers["host"] == f"hooks.example.com:{receiver.port}"


def test_a_name_that_does_not_resolve_is_a_failed_attempt(endpoint: EndpointSnapshot) -> None:
    def resolve(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    Endpoint.objects.update(url="http://nowhere.example.com/hook")
    bus.execute(SendTest(endpoint.id))
    policy = AddressPolicy(allow_private=False, resolve=resolve)
    Sender(policy, SecretBox(settings.ENV.secret_key), [5]).drain(5)
    assert WebhookDelivery.objects.get().state == "failed"


@pytest.mark.parametrize("host", ["xn--zz", "xn--", "a..b", "x" * 64 + ".example.com"])
def test_a_host_that_cannot_exist_is_refused_and_once_stored_holds_up_nobody(
    host: str, endpoint: EndpointSnapshot, receiver: Receiver, sender: Sender, private_allowed: AddressPolicy
) -> None:
    with pytest.raises(Invalid):
        private_allowed.check_url(f"http://{host}/")
    good = Endpoint.objects.get()
    Endpoint.objects.create(url=f"http://{host}/", secret=good.secret)
    for stored in Endpoint.objects.all():
        bus.execute(SendTest(stored.id))
    sender.drain(5)
    assert len(receiver.received) == 1
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered", "failed"}
