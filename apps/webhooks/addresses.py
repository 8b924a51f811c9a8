"""Which addresses a webhook may go to: a guard against server-side request forgery.

Checked when an endpoint is registered, and again when a connection is made, on the very address that is dialled: a name
may resolve to something else by then (DNS rebinding).
Source: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress

from apps.core.errors import FieldProblem, Invalid
from apps.webhooks.names import Busy, Names, Resolver, system_resolver
from apps.webhooks.special_networks import is_public

WEB_PORTS = (80, 443)
FIRST_FREE_PORT = 1024
# inside names, whatever their address: RFC 6761, RFC 6762, RFC 8375, ICANN's "internal", and what hosts files have
INSIDE = ("localhost", "localdomain", "local", "internal", "home.arpa")


class AddressPolicy:
    """What this deployment allows; `resolve` turns a host name into addresses, and may block."""

    def __init__(self, *, allow_private: bool, resolve: Resolver = system_resolver) -> None:
        self._allow_private = allow_private
        self._names = Names(resolve)

    def check_url(self, url: str) -> None:
        """Raises Invalid, with the reason, if a webhook may not be sent to `url`.

        Looks the host up; inside a transaction `look_up` must have done so before.
        """
        from apps.webhooks.targets import wrong_with  # noqa: PLC0415 - an HTTP client, and few processes need one

        if reason := wrong_with(url) or ("" if self._allow_private else self._wrong_with_target(url)):
            raise Invalid([FieldProblem("/url", "invalid_url", reason)])

    def look_up(self, url: str) -> None:
        """Find out where the host of `url` leads, and remember it for `check_url`; nothing if that needs none."""
        from apps.webhooks.targets import target, wrong_with  # noqa: PLC0415 - as above

        if not self._allow_private and not wrong_with(url):
            with suppress(OSError, Busy):
                self._names.look_up(target(url)[0])

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

    def _wrong_with_target(self, url: str) -> str:
        from apps.webhooks.targets import target  # noqa: PLC0415 - as above

        host, port = target(url)
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
