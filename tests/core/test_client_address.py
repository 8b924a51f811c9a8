"""Who a request comes from, by the forms that real proxies send."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from apps.core.http.client import client_address, client_network
from tests import loopback
from tests.configured import configured
from tests.processes import Processes
from tests.waiting import wait_for

PROXY = "10.0.0.1"


def seen(forwarded: str | None, *, trusted: int = 1, peer: str = PROXY) -> tuple[str, str]:
    """The address and the network of a request with this X-Forwarded-For."""
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)
    with configured(trusted_proxy_count=trusted):
        return client_address(request), client_network(request)


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:50001", "203.0.113.7"),
        ("203.0.113.7:", "203.0.113.7"),
        ('"203.0.113.7:50001"', "203.0.113.7"),
        ("  203.0.113.7\t", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:50001", "203.0.113.7"),
        ("::ffff:cb00:7107", "203.0.113.7"),
    ],
)
def test_the_address_in_a_hop(hop: str, address: str) -> None:
    for forwarded in (hop, f"198.51.100.1, {hop}", f"forged,, {hop}, "):
        assert seen(forwarded)[0] == address
    assert seen(f"{hop}, 198.51.100.9:8080", trusted=2)[0] == address


@pytest.mark.parametrize(
    "hop",
    [
        *("unknown", "_hidden", "for=203.0.113.7", "203.0.113.7:port", "203.0.113", "203.0.113.07", "[203.0.113.7"),
        *("2001:db8::1]:443", "203.0.113.7 203.0.113.8", "[]:80", "localhost", '""', "", " , ,"),
    ],
)
def test_a_hop_that_is_no_address_leaves_the_peers(hop: str) -> None:
    assert seen(hop) == (PROXY, PROXY)


def test_fewer_hops_than_proxies_leave_the_peers() -> None:
    assert seen("203.0.113.7", trusted=2)[0] == PROXY
    assert seen(None)[0] == PROXY


def test_nobody_is_believed_by_default() -> None:
    assert seen("203.0.113.7", trusted=0)[0] == PROXY


def test_a_peer_on_a_socket_for_both_families_is_an_ipv4_address() -> None:
    assert seen(None, peer="::ffff:203.0.113.7") == ("203.0.113.7", "203.0.113.7")
    assert seen("unknown", peer="::ffff:203.0.113.7") == ("203.0.113.7", "203.0.113.7")
    assert seen(None, peer="") == ("", "")
    assert seen(None, peer="unix:/run/web.sock") == ("unix:/run/web.sock", "unix:/run/web.sock")


def test_one_subscriber_of_ipv6_is_one_client() -> None:
    networks = {seen(f"[2001:db8:0:1::{n}]:44{n}")[1] for n in range(1, 4)}
    assert networks == {"2001:db8:0:1::/64"}


def test_several_header_lines_are_one_list(processes: Processes) -> None:
    web = processes.web(TRUSTED_PROXY_COUNT="2")
    lines = [("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "203.0.113.7:50001"), ("X-Forwarded-For", PROXY)]
    loopback.get(f"{web.url}/healthz", headers=[*lines, ("X-Request-ID", "several-lines")])

    def logged() -> list[str]:
        return [line["ip"] for line in web.lines() if line.get("request_id") == "several-lines"]

    wait_for(lambda: bool(logged()), f"the request is logged; see {web.log}")
    assert logged() == ["203.0.113.7"]
