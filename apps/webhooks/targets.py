"""Which URLs a webhook can have at all, read as the HTTP client that sends it will read them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx

from apps.webhooks.models import URL_LENGTH

# RFC 3986 allows these in a name, the domain name system has no name with them
NOT_IN_HOSTS = re.compile(rb"[!$&'()*+,;=~]")
NOT_IN_URLS = re.compile(r'["<>\\^`{|}]|%(?![0-9A-Fa-f]{2})')


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


def target(url: str) -> tuple[str, int | None]:
    """Host and port as the HTTP client will ask for them: another parser could see others."""
    parts = httpx.URL(url)
    return parts.raw_host.decode("ascii").lower().rstrip("."), parts.port


def wrong_with(url: str) -> str:
    """What is wrong with `url` as a URL, wherever it leads; "" if nothing is."""
    if len(url) > URL_LENGTH or any(ord(c) <= 32 or ord(c) == 127 for c in url):
        return f"must be a URL of up to {URL_LENGTH} characters without blanks"
    if NOT_IN_URLS.search(url):
        return "holds characters that a URL spells with a percent sign (RFC 3986), as in %20"
    if not can_be_sent(url):
        return "is not a URL, or names a host that cannot exist"
    parts, (host, _) = httpx.URL(url), target(url)
    if parts.scheme not in ("https", "http") or not host or "%" in host:
        return "must begin with https:// or http:// and name a host, without a percent sign in it"
    if parts.userinfo or "@" in urlsplit(url).netloc or "#" in url:
        return "must hold neither credentials nor a fragment"
    return ""
