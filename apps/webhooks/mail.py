"""Mail about webhooks."""

from __future__ import annotations

from apps.core.bus import bus
from apps.core.mail import Mail, send
from apps.users.queries import ListStaffEmails

DISABLED = Mail(
    "webhooks/mail/disabled",
    {"webhook_id": 3, "host": "example.com", "reason": "every attempt of the last 5 days failed"},
)


def tell_staff(webhook_id: int, host: str, reason: str) -> None:
    """Send one e-mail to all active staff; without the URL, which is a secret for many services.

    Raises what the mail server's library raises.
    """
    values = {"webhook_id": webhook_id, "host": host, "reason": reason}
    emails = bus.ask(ListStaffEmails())
    send(DISABLED.message(values, bcc=emails))
