from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest
from django.conf import settings

from apps.core.bus import bus
from apps.core.errors import Invalid
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.commands import EndpointSnapshot, SendTest
from apps.webhooks.models import Endpoint, WebhookDelivery
from apps.webhooks.repositories import SendQueue
from apps.webhooks.secrets import SecretBox
from apps.webhooks.sender import Sender
from apps.webhooks.special_networks import is_public
from tests.webhooks.receiver import Receiver

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


# IANA's special-purpose registries, every row, with the first and the last address of each
SPECIAL = {
    "This network": "0.0.0.0/8",
    "This host on this network": "0.0.0.0/32",
    "Private-Use 10": "10.0.0.0/8",
    "Shared Address Space": "100.64.0.0/10",
    "Loopback": "127.0.0.0/8",
    "Link Local": "169.254.0.0/16",
    "Private-Use 172": "172.16.0.0/12",
    "IETF Protocol Assignments": "192.0.0.0/24",
    "IPv4 Service Continuity Prefix": "192.0.0.0/29",
    "IPv4 dummy address": "192.0.0.8/32",
    "Port Control Protocol Anycast": "192.0.0.9/32",
    "Traversal Using Relays around NAT Anycast": "192.0.0.10/32",
    "NAT64/DNS64 Discovery": "192.0.0.170/31",
    "Documentation (TEST-NET-1)": "192.0.2.0/24",
    "AS112-v4": "192.31.196.0/24",
    "AMT": "192.52.193.0/24",
    "Deprecated (6to4 Relay Anycast)": "192.88.99.0/24",
    "Private-Use 192": "192.168.0.0/16",
    "Direct Delegation AS112 Service": "192.175.48.0/24",
    "Benchmarking": "198.18.0.0/15",
    "Documentation (TEST-NET-2)": "198.51.100.0/24",
    "Documentation (TEST-NET-3)": "203.0.113.0/24",
    "Multicast": "224.0.0.0/4",
    "Reserved": "240.0.0.0/4",
    "Limited Broadcast": "255.255.255.255/32",
    "Loopback Address": "::1/128",
    "Unspecified Address": "::/128",
    "IPv4-compatible": "::/96",
    "IPv4-mapped Address": "::ffff:0:0/96",
    "IPv4-IPv6 Translat.": "64:ff9b::/96",
    "IPv4-IPv6 Translat. (local)": "64:ff9b:1::/48",
    "Discard-Only Address Block": "100::/64",
    "Dummy IPv6 Prefix": "100:0:0:1::/64",
    "IETF Protocol Assignments (v6)": "2001::/23",
    "TEREDO": "2001::/32",
    "Port Control Protocol Anycast (v6)": "2001:1::1/128",
    "Traversal Using Relays around NAT Anycast (v6)": "2001:1::2/128",
    "DNS-SD Service Registration Protocol Anycast": "2001:1::3/128",
    "Benchmarking (v6)": "2001:2::/48",
    "AMT (v6)": "2001:3::/32",
    "AS112-v6": "2001:4:112::/48",
    "Deprecated (previously ORCHID)": "2001:10::/28",
    "ORCHIDv2": "2001:20::/28",
    "Drone Remote ID Protocol Entity Tags Prefix": "2001:30::/28",
    "Documentation (v6)": "2001:db8::/32",
    "6to4": "2002::/16",
    "Direct Delegation AS112 Service (v6)": "2620:4f:8000::/48",
    "Documentation (v6, large)": "3fff::/20",
    "Segment Routing (SRv6) SIDs": "5f00::/16",
    "Unique-Local": "fc00::/7",
    "Link-Local Unicast": "fe80::/10",
    "Site-Local (deprecated)": "fec0::/10",
    "Multicast (v6)": "ff00::/8",
}
METADATA = {
    "AWS, Google (metadata.google.internal), Azure, DigitalOcean, OpenStack": "169.254.169.254",
    "AWS, tasks": "169.254.170.2",
    "AWS, IPv6": "fd00:ec2::254",
    "Google, IPv6": "fd20:ce::254",
    "Azure, its host": "168.63.129.16",
    "Alibaba": "100.100.100.200",
    "Oracle": "192.0.0.192",
    "Scaleway": "169.254.42.42",
    "OpenStack, IPv6": "fe80::a9fe:a9fe",
}
# right next to a special network, or ordinary
PUBLIC = [
    "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
    "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.255", "203.0.114.0",
    "223.255.255.255", "2001:200::1", "2001:db7::1", "2003::1", "2606:4700:4700::1111", "2620:4f:8001::1", "3ffe::1",
]  # fmt: skip
SPELLINGS = [
    "127.0.0.1.",
    "127.0.1",
    "0x7f.1",
    "0X7F.0.0.1",
    "017700000001",
    "0300.0250.1.1",
    "0xc0a80101",
    "3232235777",
    "10.1.257",
    "10.0x0.0.1",
    "127\u30020\u30020\u30021",
    "localhost",
    "LOCALHOST",
    "a.localhost",
    "localhost.localdomain",
    "printer.local",
    "router.home.arpa",
    "metadata.google.internal",
    "metadata.google.internal.",
    "db.internal",
    "[::127.0.0.1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:93.184.216.34]",
    "[64:ff9b::93.184.216.34]",
    "[2002:7f00:1::]",
    "[fe80::1%251]",
    "\uff11\uff12\uff17.0.0.1",
    "\u2460\u2461\u2466.0.0.1",
    "127%2e0.0.1",
]


@pytest.mark.parametrize("network", SPECIAL.values(), ids=SPECIAL.keys())
def test_no_address_of_a_special_network_is_public(network: str) -> None:
    addresses = ipaddress.ip_network(network)
    for address in (addresses[0], addresses[-1], addresses[addresses.num_addresses // 2]):
        assert not is_public(address), address


@pytest.mark.parametrize("address", METADATA.values(), ids=METADATA.keys())
def test_no_cloud_s_metadata_is_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    policy = AddressPolicy(allow_private=False, resolve=lambda host: [address])
    with pytest.raises(Invalid):
        policy.check_url("https://hooks.example.com/")
    with pytest.raises(OSError, match="not allowed"):
        asyncio.run(policy.dialable("hooks.example.com"))


@pytest.mark.parametrize("address", PUBLIC)
def test_its_neighbours_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def nobody(host: str) -> list[str]:
    raise AssertionError(f"{host} was looked up, though it spells an address")


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_what_is_inside_is_taken_and_none_is_looked_up(host: str) -> None:
    with pytest.raises(Invalid):
        AddressPolicy(allow_private=False, resolve=nobody).check_url(f"http://{host}/")


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
    Sender(policy, SendQueue(SecretBox(settings.ENV.secret_key)), [5]).drain(5)
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
    Sender(policy, SendQueue(SecretBox(settings.ENV.secret_key)), [5]).drain(5)
    assert asked == ["hooks.example.com"]
    assert len(receiver.received) == 1
    assert receiver.received[0].headers["host"] == f"hooks.example.com:{receiver.port}"


def test_a_name_that_does_not_resolve_is_a_failed_attempt(endpoint: EndpointSnapshot) -> None:
    def resolve(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    Endpoint.objects.update(url="http://nowhere.example.com/hook")
    bus.execute(SendTest(endpoint.id))
    policy = AddressPolicy(allow_private=False, resolve=resolve)
    Sender(policy, SendQueue(SecretBox(settings.ENV.secret_key)), [5]).drain(5)
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
