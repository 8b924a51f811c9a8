"""Which addresses a webhook may go to: a guard against server-side request forgery.

Checked when an endpoint is registered, and again when a connection is made, on the very address that is dialled: a name
may resolve to something else by then (DNS rebinding).
Source: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx

from apps.core.errors import FieldProblem, Invalid
from apps.webhooks.models import URL_LENGTH

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Python calls these global, but each leads on to an IPv4 address inside it or to many machines
DENIED = [
    ipaddress.ip_network(n)
    for n in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "192.88.99.0/24")
]
# RFC 3986 lets a name have these, the domain name system has none with them
NOT_IN_HOSTS = re.compile(rb"[!$&'()*+,;=~]")
NOT_IN_URLS = re.compile(r'["<>\\^`{|}]|%(?![0-9A-Fa-f]{2})')
WEB_PORTS = (80, 443)
FIRST_FREE_PORT = 1024


def is_public(address: Address) -> bool:
    """Whether `address` belongs to the public internet: no private, loopback, link-local, shared or mapped one."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in DENIED if network.version == address.version)


def system_resolver(host: str) -> list[str]:
    """The addresses of `host` as the system knows them; also of odd spellings such as 0x7f.1 or 2130706433.

    Raises OSError where there are none.
    """
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def can_be_sent(url: str) -> bool:
    """Whether `url` is one, and the HTTP client can make a request of it; it refuses hosts that no name can have."""
    try:
        parts = urlsplit(url)
        # both raise: the one for a port that is none, the other for a label that is empty or too long
        _, host = parts.port, (parts.hostname or "").encode("idna")
        httpx.Request("POST", url)
    except Exception:  # idna alone raises four kinds of errors
        return False
    return not NOT_IN_HOSTS.search(host)


Resolver = Callable[[str], list[str]]


class AddressPolicy:
    """What this deployment allows; `resolve` turns a host name into addresses."""

    def __init__(self, *, allow_private: bool, resolve: Resolver = system_resolver) -> None:
        self._allow_private = allow_private
        self._resolve = resolve

    def check_url(self, url: str) -> None:
        """Raises Invalid where `url` is no address that a webhook may be sent to, with the reason."""
        if reason := self._wrong_with(url):
            raise Invalid([FieldProblem("/url", "invalid_url", reason)])

    def dialable(self, host: str) -> str:
        """The address to dial for `host`. Raises OSError where it has none that is allowed."""
        addresses = self._resolve(host)
        allowed = [text for text in addresses if self._allowed(text)]
        if len(allowed) != len(addresses) or not allowed:
            # one bad address among good ones is an attack or a mistake; neither is worth a guess
            raise OSError("the host resolves to an address that is not allowed")
        return allowed[0]

    def _allowed(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        return self._allow_private or is_public(address)

    def _wrong_with(self, url: str) -> str:
        if len(url) > URL_LENGTH or any(ord(c) <= 32 or ord(c) == 127 for c in url):
            return f"must be a URL of up to {URL_LENGTH} characters without blanks"
        if NOT_IN_URLS.search(url):
            return "holds characters that a URL spells with a percent sign (RFC 3986), as in %20"
        if not can_be_sent(url):
            return "is not a URL, or names a host that cannot exist"
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if parts.scheme not in ("https", "http") or not host:
            return "must begin with https:// or http:// and name a host"
        if parts.username is not None or parts.password is not None or parts.fragment:
            return "must hold neither credentials nor a fragment"
        return "" if self._allow_private else self._wrong_with_target(host, port)

    def _wrong_with_target(self, host: str, port: int | None) -> str:
        inside = "must lead to the public internet, not to a private, loopback or link-local address"
        if "%" in host or host.rstrip(".").endswith("localhost"):
            return inside
        if port is not None and port not in WEB_PORTS and port < FIRST_FREE_PORT:
            return f"must use port 80, 443, or one from {FIRST_FREE_PORT} up"
        try:
            addresses = self._resolve(host)
        except (OSError, UnicodeError):
            # the name may exist by the time it is needed; it is checked again then
            return ""
        if not all(self._allowed(text) for text in addresses):
            return inside
        return ""
