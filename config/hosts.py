"""Names of hosts and origins in settings, checked by the rules of Django and browsers, which will compare them."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from config.reader import Refused

# what django.http.request accepts in a Host header
NAME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.IGNORECASE)
PORTS = {"http": 80, "https": 443}


def allowed_host(entry: str) -> str:
    """Return `entry` of ALLOWED_HOSTS if a Host header can match it. Raises Refused if not."""
    if "://" in entry:
        raise Refused("leave the scheme (https://) out")
    if re.search(r"\s", entry):
        raise Refused("has a blank in it; commas separate names")
    if "/" in entry:
        raise Refused("leave the path out")
    if entry.startswith("*."):
        raise Refused("write .example.com for a domain and all below it")
    if entry == "*":
        return entry
    _check_host(entry.removeprefix("."))
    return entry


def host(entry: str) -> str:
    """A host's name or address to listen on or connect to. Raises Refused."""
    if entry.startswith("[") or entry.count(":") > 1:
        return str(_address(entry.removeprefix("[").removesuffix("]")))
    # resolvers know names that a Host header may not have, such as those of containers
    if not NAME.fullmatch(entry.removesuffix(".").replace("_", "-")):
        raise Refused("must be a name (letters, digits, hyphens, dots) or an address")
    return entry


def origin(entry: str, *, wildcard: bool = False) -> str:
    """`entry` as browsers write it in Origin: lower case, without the scheme's own port. Raises Refused."""
    if re.search(r"\s", entry):
        raise Refused("has a blank in it; commas separate origins")
    scheme, separator, authority = entry.removesuffix("/").partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in PORTS:
        raise Refused("must start with https:// or http://")
    if re.search(r"[/?#]", authority):
        raise Refused("leave everything behind the host and port out")
    if "@" in authority:
        raise Refused("leave user and password out")
    try:
        parts = urlsplit(f"{scheme}://{authority}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("has no usable host and port") from None
    if port == 0:
        raise Refused("has no usable port")
    if "*" in name and not wildcard:
        raise Refused("name every origin: a * is not understood")
    bare = name.removeprefix("*.") if wildcard else name
    _check_host(f"[{bare}]" if ":" in bare else bare)
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}" + (f":{port}" if port not in (None, PORTS[scheme]) else "")


def _check_host(entry: str) -> None:
    if entry.startswith("[") and "]" in entry:
        inside, _, behind = entry[1:].partition("]")
        if behind:
            raise Refused("leave the port out")
        _address(inside)
        return
    if entry.count(":") > 1:
        raise Refused("put brackets around an IPv6 address")
    if ":" in entry:
        raise Refused("leave the port out")
    if not entry.isascii():
        raise Refused("write an international name in its ASCII form, xn--…")
    if entry.endswith("."):
        raise Refused("leave the last dot out")
    if not NAME.fullmatch(entry):
        raise Refused("must be a host's name (letters, digits, hyphens, dots) or address")


def _address(text: str) -> ipaddress.IPv6Address:
    try:
        return ipaddress.IPv6Address(text)
    except ValueError:
        raise Refused("is no IPv6 address") from None
