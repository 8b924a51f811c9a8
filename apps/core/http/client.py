"""Who is on the other end of the connection."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# as proxies write them: 203.0.113.7, 203.0.113.7:50001, 2001:db8::1, [2001:db8::1], [2001:db8::1]:443, each also quoted
HOP = re.compile(r'"?(?:\[([^\]]*)\]|([0-9.]+)(?=:)|([^"\[\]]*))(?::[0-9]{0,5})?"?')


def client_address(request: HttpRequest) -> str:
    """The client's address. The TRUSTED_PROXY_COUNT right-most hops of `X-Forwarded-For` are ours, by default none.

    An IPv4 address that came mapped into IPv6 is an IPv4 address. A hop that is not an address (`unknown`) is replaced
    by the peer's own, since nobody can say who that was.
    """
    peer = str(request.META.get("REMOTE_ADDR") or "")
    found = None
    if trusted := settings.TRUSTED_PROXY_COUNT:
        # several header lines are one list, and empty elements of a list do not count (RFC 9110, section 5.6.1)
        hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        found = _address(hops[-trusted]) if len(hops) >= trusted else None
    return str(found or _address(peer) or peer)


def client_network(request: HttpRequest) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 one, which is what one subscriber gets."""
    text = client_address(request)
    address = _address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return text


def client_area(request: HttpRequest) -> str:
    """About where the client is, for people: the /24 of an IPv4 address, the /48 of an IPv6 one; "" for no address."""
    address = _address(client_address(request))
    if address is None:
        return ""
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


@lru_cache(maxsize=4096)
def _address(hop: str) -> Address | None:
    """The address in `hop`, without port, brackets, quotes and zone; None if there is none."""
    found = HOP.fullmatch(hop)
    text = found and (found[1] or found[2] or found[3])
    try:
        address = ipaddress.ip_address((text or "").strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
