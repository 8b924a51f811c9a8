"""Mail about webhooks."""

from __future__ import annotations

from django.core.mail import EmailMessage

from apps.core.bus import bus
from apps.core.mail import send
from apps.users.queries import ListStaffEmails


def tell_staff(webhook_id: int, host: str, reason: str) -> None:
    """Send one e-mail to all active staff; without the URL, which is a secret for many services.

    Raises what the mail server's library raises.
    """
    body = f"The webhook {webhook_id} at {host} was disabled: {reason}.\nSwitch it on again in the admin."
    send(EmailMessage(subject="A webhook endpoint was disabled", body=body, bcc=bus.ask(ListStaffEmails())))
