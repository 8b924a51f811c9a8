"""Which addresses a webhook may go to: a guard against server-side request forgery.

Checked when an endpoint is registered, and again when a connection is made, on the very address that is dialled: a name
may resolve to something else by then (DNS rebinding).
Source: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from apps.core.errors import FieldProblem, Invalid
from apps.webhooks.models import URL_LENGTH
from apps.webhooks.names import Busy, Names, Resolver, system_resolver
from apps.webhooks.special_networks import is_public

# RFC 3986 allows these in a name, the domain name system has no name with them
NOT_IN_HOSTS = re.compile(rb"[!$&'()*+,;=~]")
NOT_IN_URLS = re.compile(r'["<>\\^`{|}]|%(?![0-9A-Fa-f]{2})')
WEB_PORTS = (80, 443)
FIRST_FREE_PORT = 1024
# inside names, whatever their address: RFC 6761, RFC 6762, RFC 8375, ICANN's "internal", and what hosts files have
INSIDE = ("localhost", "localdomain", "local", "internal", "home.arpa")


def can_be_sent(url: str) -> bool:
    """Whether `url` is a URL that the HTTP client can make a request of, and its host a name that can exist."""
    try:
        parts = urlsplit(url)
        # both raise: the one for a port that is not a number, the other for a label that is empty or too long
        _, host = parts.port, (parts.hostname or "").encode("idna")
        httpx.Request("POST", url)
    except Exception:  # idna alone raises four kinds of errors
        return False
    return not NOT_IN_HOSTS.search(host)


class AddressPolicy:
    """What this deployment allows; `resolve` turns a host name into addresses, and may block."""

    def __init__(self, *, allow_private: bool, resolve: Resolver = system_resolver) -> None:
        self._allow_private = allow_private
        self._names = Names(resolve)

    def check_url(self, url: str) -> None:
        """Raises Invalid, with the reason, if a webhook may not be sent to `url`.

        Looks the host up; inside a transaction `look_up` must have done so before.
        """
        if reason := wrong_with(url) or ("" if self._allow_private else self._wrong_with_target(httpx.URL(url))):
            raise Invalid([FieldProblem("/url", "invalid_url", reason)])

    def look_up(self, url: str) -> None:
        """Find out where the host of `url` leads, and remember it for `check_url`; nothing if that needs none."""
        if not self._allow_private and not wrong_with(url):
            with suppress(OSError, Busy):
                self._names.look_up(asked_host(httpx.URL(url)))

    async def dialable(self, host: str) -> str:
        """The address to dial for `host`. Raises OSError if not all are allowed, Busy as `Names` does."""
        addresses = await self._names.find(host)
        allowed = [text for text in addresses if self._allowed(text)]
        if len(allowed) != len(addresses) or not allowed:
            # one bad address among good ones is an attack or a mistake; no guessing which one is meant
            raise OSError("the host resolves to an address that is not allowed")
        return allowed[0]

    def _allowed(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return self._allow_private or is_public(address)

    def _wrong_with_target(self, url: httpx.URL) -> str:
        host, port = asked_host(url), url.port
        inside = "must lead to the public internet, not to a private, loopback or link-local address"
        if any(host == name or host.endswith(f".{name}") for name in INSIDE):
            return inside
        if port is not None and port not in WEB_PORTS and port < FIRST_FREE_PORT:
            return f"must use port 80, 443, or one from {FIRST_FREE_PORT} up"
        try:
            addresses = self._names.look_up(host)
        except (OSError, Busy):
            # the name may exist by the time it is needed; it is checked again then
            return ""
        return "" if all(self._allowed(text) for text in addresses) else inside


def asked_host(url: httpx.URL) -> str:
    """The host as the HTTP client will ask for it: another parser could see another one."""
    return url.raw_host.decode("ascii").lower().rstrip(".")


def wrong_with(url: str) -> str:
    """What is wrong with `url` as a URL, wherever it leads; "" if nothing is."""
    if len(url) > URL_LENGTH or any(ord(c) <= 32 or ord(c) == 127 for c in url):
        return f"must be a URL of up to {URL_LENGTH} characters without blanks"
    if NOT_IN_URLS.search(url):
        return "holds characters that a URL spells with a percent sign (RFC 3986), as in %20"
    if not can_be_sent(url):
        return "is not a URL, or names a host that cannot exist"
    parts = httpx.URL(url)
    if parts.scheme not in ("https", "http") or not asked_host(parts) or "%" in asked_host(parts):
        return "must begin with https:// or http:// and name a host, without a percent sign in it"
    if parts.userinfo or "@" in urlsplit(url).netloc or "#" in url:
        return "must hold neither credentials nor a fragment"
    return ""
