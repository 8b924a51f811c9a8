"""What people find in their mailboxes."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.core import mail
from django.core.mail import EmailMessage

from apps.events import deliveries
from apps.events.models import Delivery
from apps.events.relay import fan_out


def post() -> None:
    """Relay, and send the mails that are due; nothing else is delivered, for that takes time."""
    fan_out()
    Delivery.objects.exclude(receiver__startswith="users.send_").update(due_at=None)
    while deliveries.work_waiting(seconds=30):
        pass


def subjects(address: str = "ada@example.com") -> list[str]:
    """The subjects of all mails to `address`, the oldest first, without the welcome."""
    return [str(sent.subject) for sent in mail.outbox if sent.recipients() == [address] and sent.subject != "Welcome"]


def link(address: str = "ada@example.com") -> str:
    """The link in the last mail to `address`."""
    sent: Any = [sent for sent in mail.outbox if sent.recipients() == [address]][-1]
    (found,) = re.findall(r"https?://\S+", str(sent.body))
    html, _ = sent.alternatives[0]
    assert f'href="{found}"' in str(html)
    return str(found)


def token_in(message: EmailMessage) -> str:
    """The token of the link in `message`; empty if it has none."""
    found = re.search(r"[?]token=(\S+)", str(message.body))
    return found[1] if found else ""


def token(address: str = "ada@example.com") -> str:
    """The token of the link in the last mail to `address`."""
    return urlsplit(link(address)).query.removeprefix("token=")
