"""Mail about webhooks."""

from __future__ import annotations

from django.core.mail import EmailMessage

from apps.core.bus import bus
from apps.users.queries import ListStaffEmails
from apps.webhooks.commands import TellStaff


def tell_staff(command: TellStaff) -> None:
    """One e-mail to all active staff; without the URL, which is a secret for many services."""
    webhook = f"webhook {command.webhook_id} at {command.host}"
    body = f"The {webhook} was disabled: {command.reason}.\nSwitch it on again in the admin."
    EmailMessage(subject="A webhook endpoint was disabled", body=body, bcc=bus.ask(ListStaffEmails())).send()
