"""What a service logs about its settings when it starts: they are usable, but maybe not what was meant."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import structlog

from config.env import Settings
from config.service_urls import HOSTLESS

log = structlog.get_logger("settings")


def say_where_mail_goes(env: Settings) -> None:
    """In production, log where mail goes if that is not another machine: nobody may ever read it."""
    if env.profile != "production":
        return
    parts = urlsplit(env.email_url)
    if parts.scheme in HOSTLESS:
        log.warning(
            "mail_is_not_sent", scheme=parts.scheme, hint="EMAIL_URL=smtp+tls://USER:PASSWORD@HOST:587 sends it"
        )
    elif _is_this_machine(parts.hostname or ""):
        log.warning(
            "mail_goes_to_this_machine", hint="EMAIL_URL names a loopback address; in a container nothing is there"
        )


def say_where_links_lead(env: Settings) -> None:
    """In production, log where the links in mails lead if that is nowhere."""
    if env.profile == "production" and env.public_url == "https://localhost":
        log.warning("links_lead_nowhere", hint="PUBLIC_URL=https://… is where people's browsers find this service")


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
